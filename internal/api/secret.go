package api

import (
	"bytes"
	"context"
	"net/http"
	"slices"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

type secretsIn struct {
	client.SecretFilter
	Query
}

func (s *Server) secretOps() {
	ofSecret := of[SecretRef](s.secretObject)
	op(s, operation[secretsIn]{Method: http.MethodGet, Path: "/secrets", Op: policy.AccountList, ID: "secret.list", Summary: "Secrets, without values"}, s.secrets)
	op(s, operation[SecretRef]{Method: http.MethodGet, Path: "/secrets/{secret}", Op: policy.AccountGet, ID: "secret.get",
		Summary: "One Secret with its keys, without values", Object: ofSecret}, s.secret)
	op(s, operation[SecretRef]{Method: http.MethodPost, Path: "/secrets/{secret}/download", Op: policy.AccountDownload, Secret: true, Stream: true,
		Summary: "A Secret with its values, as a manifest for kubectl apply; it is recorded", Object: ofSecret}, s.download)
}

func (s *Server) secrets(ctx context.Context, c call, in *secretsIn) (*list[client.Page[client.Secret]], error) {
	cluster, err := s.clusterID(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	resource, err := s.resourceID(ctx, in.Resource)
	if err != nil {
		return nil, err
	}
	p, err := s.Objects.Secrets(ctx, viewer(c), store.SecretQuery{
		ListQuery: listQuery(in.ListOptions), ClusterID: cluster, ResourceID: resource, Namespace: in.Namespace, Name: in.Name,
		Type: in.words("type"), State: in.words("state"), Unmapped: in.Unmapped,
	})
	if err != nil {
		return nil, err
	}
	var open map[string][]inventory.Key
	if in.Unmapped {
		if open, err = s.unmapped(ctx, p.Items); err != nil {
			return nil, err
		}
	}
	return pageOf(p, nil, func(row store.SecretRow) client.Secret {
		out := secretOf(c.Actor, row)
		for _, k := range open[row.ID] {
			out.Keys = append(out.Keys, keyOf(k, nil))
		}
		return out
	}), nil
}

// unmapped returns the keys of Secrets that are not mapped.
func (s *Server) unmapped(ctx context.Context, rows []store.SecretRow) (map[string][]inventory.Key, error) {
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	return s.Objects.UnmappedKeys(ctx, ids...)
}

func (s *Server) secret(ctx context.Context, c call, _ *SecretRef) (*answer[client.Secret], error) {
	row, err := only(s.Objects.Secrets(ctx, viewer(c), store.SecretQuery{ID: c.Object.ID}))
	if err != nil {
		return nil, err
	}
	whole, err := s.Objects.Secret(ctx, c.Object.ID)
	if err != nil {
		return nil, err
	}
	mapped, err := s.mappedKeys(ctx, c)
	if err != nil {
		return nil, err
	}
	out := secretOf(c.Actor, row)
	out.Keys = make([]client.Key, len(whole.Keys))
	for i, k := range whole.Keys {
		out.Keys[i] = keyOf(k, mapped[k.Name])
	}
	out.OnDrift, err = s.drift(ctx, "secret", c.Object.ID)
	return &answer[client.Secret]{ETag: etag(row.Rev), Body: out}, err
}

// mappedKeys returns the mappings of the call's Secret to accounts that the caller may know of, by key.
func (s *Server) mappedKeys(ctx context.Context, c call) (map[string]*client.Mapping, error) {
	by := map[string]*client.Mapping{}
	q := store.MappingQuery{SecretID: c.Object.ID, ListQuery: store.ListQuery{Limit: 500}}
	for {
		p, err := s.Mappings.Mappings(ctx, viewer(c), q)
		if err != nil {
			return nil, err
		}
		for _, row := range p.Items {
			m := mappingOf(c.Actor, row)
			by[row.Key] = &m
		}
		if q.Cursor = p.Next; q.Cursor == "" {
			return by, nil
		}
	}
}

// manifest is a Secret as kubectl apply takes it: nothing in it is the API server's own.
type manifest struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   manifestMeta      `json:"metadata"`
	Type       string            `json:"type,omitempty"`
	Immutable  bool              `json:"immutable,omitempty"`
	Data       map[string][]byte `json:"data"` // in base64
}

type manifestMeta struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Labels    map[string]string `json:"labels,omitempty"`
}

func (s *Server) download(ctx context.Context, c call, _ *SecretRef) (*file, error) {
	cred, data, err := s.Accounts.Download(ctx, c.Actor, c.Object.ID)
	if err != nil {
		return nil, err
	}
	m, err := manifestOf(cred, data)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := marshal(&text, m); err != nil {
		return nil, err
	}
	return &file{ContentType: "application/json", ContentDisposition: attachment(cred.Namespace + "-" + cred.SecretName + ".json"), Body: text.Bytes()}, nil
}

func manifestOf(cred access.Credential, data map[string]vault.Value) (manifest, error) {
	m := manifest{
		APIVersion: "v1", Kind: "Secret", Type: cred.Type, Immutable: cred.Immutable, Data: make(map[string][]byte, len(data)),
		Metadata: manifestMeta{Name: cred.SecretName, Namespace: cred.Namespace, Labels: cred.Labels},
	}
	for key, value := range data {
		err := value.Expose(func(b []byte) error {
			m.Data[key] = append([]byte{}, b...) // never nil, which would be written as null
			return nil
		})
		if err != nil {
			return manifest{}, err
		}
	}
	return m, nil
}

// secretVerbs are what can be done with a Secret.
var secretVerbs = map[string]policy.Operation{
	"reveal": policy.AccountReveal, "download": policy.AccountDownload, "map": policy.MappingCreate, "share": policy.GrantCreate,
	"onDrift": policy.AccountUpdate, "restore": policy.SecretRestore,
}

func secretOf(actor identity.Actor, row store.SecretRow) client.Secret {
	can := canOf(actor, policy.Object{Kind: access.Account, ID: row.ID, Level: row.Level}, secretVerbs)
	if row.State == inventory.Tombstone {
		notNow(can, "The Secret was deleted in its cluster", "map")
	}
	return client.Secret{
		ID: row.ID, ClusterID: row.ClusterID, ClusterName: row.ClusterName, ResourceID: row.ResourceID, ResourceName: row.ResourceName,
		Namespace: row.Namespace, Name: row.Name, UID: row.UID, ResourceVersion: row.ResourceVersion, Type: row.Type, Immutable: row.Immutable,
		Labels: row.Labels, Size: roundUp(row.Size), KeyCount: row.KeyCount, MappedKeys: sum(row.Mappings), Mappings: row.Mappings, Current: row.Current,
		State: string(row.State), Reason: sentence(row.Reason), CreatedAt: row.CreatedAt, SeenAt: row.SeenAt, DeletedAt: orNil(row.DeletedAt),
		Rev: row.Rev, Can: can,
	}
}

func sum(counts map[string]int64) (all int64) {
	for _, n := range counts {
		all += n
	}
	return all
}

func keyOf(k inventory.Key, mapped *client.Mapping) client.Key {
	return client.Key{Name: k.Name, Size: roundUp(k.Size), Mapping: mapped}
}

// sizeSteps are what sizes are shown in, in bytes: an exact one is a password's length. A Secret has 1 MiB at most.
var sizeSteps = []int64{0, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20}

// roundUp returns the first step that is not below size; beyond the last one the size itself.
func roundUp(size int64) int64 {
	i, _ := slices.BinarySearch(sizeSteps, size)
	if i == len(sizeSteps) {
		return size
	}
	return sizeSteps[i]
}
