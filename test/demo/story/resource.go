package story

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
)

func listResources(ctx context.Context, s *Stage) error {
	_, err := s.admin(ctx, "resource", "list")
	return err
}

// provedResources looks for the namespaces in which kubectl sees Secrets.
func provedResources(ctx context.Context, s *Stage) (string, error) {
	l, err := ask[list[struct{ Name string }]](ctx, s, s.anna, "resource", "list", "--type", "kubernetes")
	if err != nil {
		return "", err
	}
	var got, want []string
	for _, r := range l.Items {
		got = append(got, r.Name)
	}
	for _, site := range s.sites {
		all, err := site.list(ctx)
		if err != nil {
			return "", err
		}
		for _, m := range all {
			if slices.Contains(namespaces, m.Metadata.Namespace) {
				want = append(want, m.Metadata.Namespace+"-"+site.name)
			}
		}
	}
	return fmt.Sprintf("kubectl: %d namespaces with Secrets", len(got)), same("resources", got, want)
}

func downloadSecrets(ctx context.Context, s *Stage) error {
	s.downloads = map[string][]json.RawMessage{}
	for _, site := range s.sites {
		have, err := s.secretAccounts(ctx, s.anna, site)
		if err != nil {
			return err
		}
		for _, a := range have {
			manifest, err := s.admin(ctx, "account", "download", a.ResourceName+"/"+a.Name)
			if err != nil {
				return err
			}
			if !json.Valid([]byte(manifest)) {
				return fmt.Errorf("the download of %s/%s is no JSON", a.ResourceName, a.Name)
			}
			s.downloads[site.name] = append(s.downloads[site.name], json.RawMessage(manifest))
		}
	}
	return nil
}

// provedDownload lets the API servers judge the downloads without storing them, and compares what they would store with
// what is there.
func provedDownload(ctx context.Context, s *Stage) (string, error) {
	types := map[any]bool{}
	n := 0
	for _, site := range s.sites {
		manifests, err := json.Marshal(object{"apiVersion": "v1", "kind": "List", "items": s.downloads[site.name]})
		if err != nil {
			return "", err
		}
		would, err := site.objects(ctx, string(manifests), "apply", "--dry-run=server", "-f", "-", "-o", "json")
		if err != nil {
			return "", err
		}
		is, err := site.objects(ctx, "", "get", "secrets", "-A", "-o", "json")
		if err != nil {
			return "", err
		}
		if len(would) != len(s.downloads[site.name]) || len(would) == 0 {
			return "", fmt.Errorf("kubectl takes %d of %d downloads", len(would), len(s.downloads[site.name]))
		}
		for path, o := range would {
			types[o["type"]] = true
			n++
			for _, field := range []string{"data", "type", "immutable"} {
				if !reflect.DeepEqual(o[field], is[path][field]) {
					return "", fmt.Errorf("kubectl: %s of the download of %s in %s is not that of the Secret", field, path, site.name)
				}
			}
		}
	}
	return fmt.Sprintf("--dry-run=server takes %d of %d types, equal byte for byte", n, len(types)), nil
}

// objects runs a kubectl that prints a list, and returns its objects by namespace/name.
func (s *site) objects(ctx context.Context, stdin string, args ...string) (map[string]object, error) {
	out, err := s.kubectl(ctx, stdin, args...)
	if err != nil {
		return nil, err
	}
	var l list[object]
	if err := json.Unmarshal([]byte(out), &l); err != nil {
		return nil, err
	}
	by := map[string]object{}
	for _, o := range l.Items {
		meta, _ := o["metadata"].(object)
		by[fmt.Sprint(meta["namespace"], "/", meta["name"])] = o
	}
	return by, nil
}

// The names of the story's database in Keyturn.
const (
	database         = "orders-db"
	appAccount       = database + "/" + role
	reconcileAccount = database + "/" + reconcileRole
)

func addDatabase(ctx context.Context, s *Stage) error {
	for name, password := range map[string]string{role: s.first, reconcileRole: s.reconcile, "stranger": "not its password"} {
		if err := os.WriteFile(s.valueFile(name), []byte(password), 0o600); err != nil {
			return err
		}
	}
	return s.all(ctx,
		[]string{"resource", "create", database, "--type", "postgresql", "--set", "host=" + s.postgres.Host,
			"--set", fmt.Sprint("port=", s.postgres.Port), "--set", "database=postgres", "--set-file", "tls_ca=" + s.postgres.CAFile},
		[]string{"account", "create", appAccount, "--value-file", s.valueFile(role)},
		[]string{"account", "create", reconcileAccount, "--value-file", s.valueFile(reconcileRole)},
		[]string{"account", "create", database + "/stranger", "--value-file", s.valueFile("stranger")},
		[]string{"resource", "edit", database, "--reconcile-account", reconcileRole},
	)
}

func (s *Stage) valueFile(name string) string { return filepath.Join(s.anna.home, name+".value") }

func provedDatabase(ctx context.Context, s *Stage) (string, error) {
	r, err := ask[struct {
		ReconcileAccountName string
		Accounts             int
	}](ctx, s, s.anna, "resource", "get", database)
	if err != nil {
		return "", err
	}
	if r.Accounts != 3 || r.ReconcileAccountName != reconcileRole {
		return "", fmt.Errorf("the resource has %d accounts and is reconciled by %q", r.Accounts, r.ReconcileAccountName)
	}
	n, err := s.psql(ctx, reconcileRole, s.reconcile, "SELECT count(*) FROM pg_roles WHERE rolname IN ('"+role+"', '"+reconcileRole+"')")
	if err == nil && n != "2" {
		err = fmt.Errorf("psql: %s of the two roles are there", n)
	}
	return "psql knows both roles; the passwords came from files", err
}

func verifyAccounts(ctx context.Context, s *Stage) error {
	return s.all(ctx, []string{"account", "verify", appAccount}, []string{"account", "verify", reconcileAccount})
}

// provedVerify also shows that verify can say no: a login that anything passes proves nothing.
func provedVerify(ctx context.Context, s *Stage) (string, error) {
	for name, password := range map[string]string{role: s.first, reconcileRole: s.reconcile} {
		if _, err := s.psql(ctx, name, password, "SELECT 1"); err != nil {
			return "", err
		}
	}
	err := errors.Join(
		s.refused(ctx, exitFailed, s.anna, "account", "verify", database+"/stranger"),
		s.all(ctx, []string{"account", "delete", database + "/stranger", "--yes"}),
		s.locked(ctx, role, "not its password"),
	)
	return "psql logs in too; a role that is not there is not verified", err
}
