package api

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"unicode/utf8"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

// CredentialReader reads accounts and Secrets, without values.
type CredentialReader interface {
	Account(ctx context.Context, id string) (inventory.Account, error)
	// CredentialName returns the name of an account, or namespace/name of a Secret, a deleted one too.
	CredentialName(ctx context.Context, id string) (string, error)
	Accounts(ctx context.Context, v store.Viewer, q store.AccountQuery) (store.Page[store.AccountRow], error)
	// Secret returns a Secret with its keys, a deleted one too.
	Secret(ctx context.Context, id string) (inventory.Secret, error)
	Secrets(ctx context.Context, v store.Viewer, q store.SecretQuery) (store.Page[store.SecretRow], error)
	// UnmappedKeys returns the keys of Secrets that are not mapped, by the Secret's id.
	UnmappedKeys(ctx context.Context, secretIDs ...string) (map[string][]inventory.Key, error)
	// Versions returns those of an account or a Secret, newest first.
	Versions(ctx context.Context, accountID string) ([]inventory.Version, error)
}

// Accounts changes resources and accounts and hands values out.
type Accounts interface {
	AccountKeeper
	Reveals
}

// AccountKeeper makes, changes and deletes resources and accounts. What is nil is not changed.
type AccountKeeper interface {
	CreateResource(ctx context.Context, actor identity.Actor, name, typ string, settings map[string]string, through inventory.Through) (inventory.Resource, error)
	ChangeResource(ctx context.Context, actor identity.Actor, id string, rev int64, change inventory.ResourceChange) (inventory.Resource, error)
	DeleteResource(ctx context.Context, actor identity.Actor, id string, rev int64) error
	CreateAccount(ctx context.Context, actor identity.Actor, resourceID, name, pair string, value *vault.Value) (inventory.Account, error)
	ChangeAccount(ctx context.Context, actor identity.Actor, id string, rev int64, change inventory.AccountChange) (inventory.Account, error)
	DeleteAccount(ctx context.Context, actor identity.Actor, id string, rev int64) error
}

// Reveals hands values out, each after it was recorded.
type Reveals interface {
	Reveal(ctx context.Context, actor identity.Actor, accountID string, version int64, key, why string) (vault.Value, int64, error)
	Download(ctx context.Context, actor identity.Actor, secretID string) (access.Credential, map[string]vault.Value, error)
}

type accountsIn struct {
	client.AccountFilter
	Query
}

type accountChangeIn struct {
	IfMatch
	AccountRef
	Body client.AccountChange
}

type accountDeleteIn struct {
	IfMatch
	AccountRef
}

type revealIn struct {
	AccountRef
	Body client.Reveal
}

type resetIn struct {
	AccountRef
	Body client.Reset
}

func (s *Server) accountOps() {
	ofAccount := of[AccountRef](s.accountObject)
	op(s, operation[accountsIn]{Method: http.MethodGet, Path: "/accounts", Op: policy.AccountList, Summary: "Accounts"}, s.accounts)
	op(s, operation[AccountRef]{Method: http.MethodGet, Path: "/accounts/{account}", Op: policy.AccountGet, Summary: "One account", Object: ofAccount},
		func(ctx context.Context, c call, _ *AccountRef) (*answer[client.Account], error) {
			return s.account(ctx, c, c.Object.ID)
		})
	op(s, operation[accountChangeIn]{Method: http.MethodPatch, Path: "/accounts/{account}", Op: policy.AccountUpdate,
		Summary: "Rename an account, or store a value that was changed elsewhere",
		Object:  of[accountChangeIn](s.accountObject),
	}, s.changeAccount)
	op(s, operation[accountDeleteIn]{Method: http.MethodDelete, Path: "/accounts/{account}", Op: policy.AccountDelete,
		Summary: "Delete an account with its versions",
		Object:  of[accountDeleteIn](s.accountObject),
	}, remove[accountDeleteIn](func(ctx context.Context, a identity.Actor, id string, rev int64) error {
		return s.Accounts.DeleteAccount(ctx, a, id, rev)
	}))
	op(s, operation[AccountRef]{Method: http.MethodGet, Path: "/accounts/{account}/versions", Op: policy.AccountVersions,
		Summary: "Versions of an account or a Secret, without values",
		Object:  of[AccountRef](s.credentialObject),
	}, s.versions)
	op(s, operation[revealIn]{Method: http.MethodPost, Path: "/accounts/{account}/reveal", Op: policy.AccountReveal, Secret: true,
		Summary: "The value of an account, or of one key of a Secret; it is recorded",
		Object:  of[revealIn](s.credentialObject),
	}, s.reveal)
	op(s, operation[resetIn]{Method: http.MethodPost, Path: "/accounts/{account}/reset", Op: policy.AccountReset, Status: http.StatusAccepted,
		Summary: "Change an account's credential everywhere",
		Object:  of[resetIn](s.accountObject),
	}, s.reset)
	op(s, operation[AccountRef]{Method: http.MethodPost, Path: "/accounts/{account}/verify", Op: policy.AccountVerify,
		Summary: "Log in with the stored value", Object: ofAccount}, s.verify)
}

// accountObject finds an account that is no Secret.
func (s *Server) accountObject(ctx context.Context, id string) (policy.Object, string, error) {
	found, err := s.Objects.Account(ctx, id)
	return about(access.Account, id, found.ID, found.Name, err)
}

// secretObject finds a Secret. To grants and the gate it is an account.
func (s *Server) secretObject(ctx context.Context, id string) (policy.Object, string, error) {
	found, err := s.Objects.Secret(ctx, id)
	return about(access.Account, id, found.ID, found.Namespace+"/"+found.Name, err)
}

// credentialObject finds an account or a Secret.
func (s *Server) credentialObject(ctx context.Context, id string) (policy.Object, string, error) {
	name, err := s.Objects.CredentialName(ctx, id)
	return about(access.Account, id, id, name, err)
}

func (s *Server) accounts(ctx context.Context, c call, in *accountsIn) (*list[client.Page[client.Account]], error) {
	q, err := s.accountQuery(ctx, in.AccountFilter, in.Query)
	if err != nil {
		return nil, err
	}
	p, err := s.Objects.Accounts(ctx, viewer(c), q)
	if err != nil {
		return nil, err
	}
	return pageOf(p, nil, func(row store.AccountRow) client.Account { return accountOf(c.Actor, row) }), nil
}

func (s *Server) accountQuery(ctx context.Context, f client.AccountFilter, words Query) (store.AccountQuery, error) {
	resource, err := s.resourceID(ctx, f.Resource)
	return store.AccountQuery{
		ListQuery: listQuery(f.ListOptions), Name: f.Name, ResourceID: resource, Type: words.words("type"), State: words.words("state"), Ready: words.words("ready"), Policy: f.Policy,
	}, err
}

func (s *Server) account(ctx context.Context, c call, id string) (*answer[client.Account], error) {
	row, err := only(s.Objects.Accounts(ctx, viewer(c), store.AccountQuery{ID: id}))
	if err != nil {
		return nil, err
	}
	return &answer[client.Account]{ETag: etag(row.Rev), Body: accountOf(c.Actor, row)}, nil
}

func (s *Server) changeAccount(ctx context.Context, c call, in *accountChangeIn) (*answer[client.Account], error) {
	rev, err := in.rev()
	if err != nil {
		return nil, err
	}
	if _, err := s.Accounts.ChangeAccount(ctx, c.Actor, c.Object.ID, rev,
		inventory.AccountChange{Name: in.Body.Name, Strategy: in.Body.Strategy, Pair: in.Body.Pair, Value: given(in.Body.Value), Spare: given(in.Body.PairValue)}); err != nil {
		return nil, err
	}
	return s.account(ctx, c, c.Object.ID)
}

func (s *Server) versions(ctx context.Context, c call, _ *AccountRef) (*list[items[client.Version]], error) {
	verbs := map[string]policy.Operation{"reveal": policy.AccountReveal, "restore": policy.AccountReset}
	account, err := s.Objects.Account(ctx, c.Object.ID)
	if errors.Is(err, fault.NotFound) {
		delete(verbs, "restore") // a Secret is no login that could be set again
	} else if err != nil {
		return nil, err
	}
	all, err := s.Objects.Versions(ctx, c.Object.ID)
	if err != nil {
		return nil, err
	}
	return itemsOf(all, func(v inventory.Version) client.Version {
		return versionOf(account, v, canOf(c.Actor, c.Object, verbs))
	}), nil
}

func (s *Server) reveal(ctx context.Context, c call, in *revealIn) (*list[client.Revealed], error) {
	value, version, err := s.Accounts.Reveal(ctx, c.Actor, c.Object.ID, in.Body.Version, in.Body.Key, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	out := client.Revealed{Version: version, Restored: s.Seal.Health().Restored}
	err = value.Expose(func(b []byte) error {
		if out.Base64 = !utf8.Valid(b); out.Base64 {
			out.Value = client.NewValue(base64.StdEncoding.EncodeToString(b))
			return nil
		}
		out.Value = client.NewValue(string(b))
		return nil
	})
	return &list[client.Revealed]{Body: out}, err
}

func (s *Server) reset(ctx context.Context, c call, in *resetIn) (*answer[client.Run], error) {
	generated, err := policyText(in.Body)
	if err != nil {
		return nil, err
	}
	run, err := s.Runs.Start(ctx, c.Actor, rotation.Reset{AccountID: c.Object.ID, Policy: generated, Value: given(in.Body.Value), Version: in.Body.Version, Plan: in.Body.Plan})
	if err != nil {
		return nil, err
	}
	return s.run(ctx, c, run.ID)
}

// policyText returns how a reset's value is generated, as the password policy's own document: what is not given is left
// out and stays the default. It is empty when nothing is asked for.
func policyText(r client.Reset) (string, error) {
	if r.Policy == nil {
		return "", nil
	}
	if !r.Value.IsZero() || r.Version != 0 {
		return "", fault.New(fault.Invalid, "a policy is for values that are generated, and this reset names its value").WithField("policy").
			WithCure("leave the policy out, or the value and the version").WithUnchanged("nothing was changed")
	}
	text, err := json.Marshal(r.Policy)
	return string(text), err
}

func (s *Server) verify(ctx context.Context, c call, _ *AccountRef) (*list[client.Verified], error) {
	checked, err := s.Runs.Verify(ctx, c.Actor, c.Object.ID)
	if err != nil {
		return nil, err
	}
	return &list[client.Verified]{Body: client.Verified{
		State: string(checked.State), Reason: sentence(checked.Reason), Cure: sentence(checked.Cure), At: checked.At.UTC(),
	}}, nil
}

// accountVerbs are what can be done with an account.
var accountVerbs = map[string]policy.Operation{
	"update": policy.AccountUpdate, "delete": policy.AccountDelete, "reveal": policy.AccountReveal, "reset": policy.AccountReset,
	"verify": policy.AccountVerify, "plan": policy.AccountPlan, "rehearse": policy.AccountRehearse, "map": policy.MappingCreate, "share": policy.GrantCreate,
}

func accountOf(actor identity.Actor, row store.AccountRow) client.Account {
	can := canOf(actor, policy.Object{Kind: access.Account, ID: row.ID, Level: row.Level}, accountVerbs)
	if row.Current == 0 {
		notNow(can, "No value is stored yet", "reveal", "verify")
	}
	if len(row.Mappings) > 0 {
		notNow(can, "It is mapped to Secret keys", "delete")
	}
	if row.OpenRun != "" {
		notNow(can, "A reset of this account is under way", "reset", "rehearse", "delete")
	}
	return planned(client.Account{
		ID: row.ID, Name: row.Name, ResourceID: row.ResourceID, ResourceName: row.ResourceName, ResourceType: row.ResourceType, State: string(row.State),
		Reason: sentence(row.Reason), VerifiedAt: orNil(row.VerifiedAt), Current: row.Current, ChangedAt: orNil(row.ChangedAt), Mappings: row.Mappings,
		Strategy: row.Strategy, Pair: row.Pair, Login: row.Login, Run: row.OpenRun, CreatedAt: row.CreatedAt, Rev: row.Rev, Can: can,
	}, row)
}

// notNow takes back what the actor may do in general and the state of the object forbids.
func notNow(can client.Can, reason string, verbs ...string) {
	for _, verb := range verbs {
		if can[verb].Allowed {
			can[verb] = client.Permission{Reason: reason}
		}
	}
}

func versionOf(of inventory.Account, v inventory.Version, can client.Can) client.Version {
	login := ""
	if of.Pair != "" {
		login = cmp.Or(v.Login, of.Name)
	}
	if v.Stage == inventory.Current {
		notNow(can, "This version is the current one", "restore")
	}
	return client.Version{Number: v.Number, Stage: string(v.Stage), Source: string(v.Source), Login: login, Actor: v.ActorName, CreatedAt: v.CreatedAt,
		RetiredAt: orNil(v.RetiredAt), Can: can}
}
