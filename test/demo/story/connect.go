package story

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

func applyConnector(ctx context.Context, s *Stage) error {
	for _, site := range s.sites {
		manifest, err := s.admin(ctx, "cluster", "config", "--restart")
		if err != nil {
			return err
		}
		if _, err := site.kubectl(ctx, manifest, "apply", "-f", "-"); err != nil {
			return err
		}
		// The way that the manifest itself tells: Kubernetes fills the token in shortly after.
		err = poll(ctx, "Kubernetes fills in the connector's token", func() error {
			site.token, err = site.kubectl(ctx, "", "-n", "keyturn", "get", "secrets/keyturn-token", "-o", "jsonpath={.data.token}")
			if err == nil && site.token == "" {
				err = errors.New("it is empty")
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// provedConnector asks each cluster, with the connector's token, what it may do.
func provedConnector(ctx context.Context, s *Stage) (string, error) {
	for _, site := range s.sites {
		token, err := base64.StdEncoding.DecodeString(site.token)
		if err != nil {
			return "", err
		}
		s.secrets = append(s.secrets, string(token))
		for right, want := range map[string]string{
			"list secrets": "yes", "patch secrets": "yes", "create secrets": "no", "delete secrets": "no", "patch deployments.apps": "yes", "create pods": "no", "delete pods": "no", "patch namespaces": "no",
		} {
			verb, what, _ := strings.Cut(right, " ")
			// kubectl exits with 1 when the answer is no, so the answer is what counts.
			got, err := site.plane.KubectlAs(ctx, string(token), "", "auth", "can-i", verb, what, "--all-namespaces")
			if answer := strings.TrimSpace(got); answer != want {
				return "", fmt.Errorf("%s: may the connector %s? %q, should be %s (%w)", site.name, right, answer, want, err)
			}
		}
	}
	return "kubectl: it may patch Secrets and restart, not create or delete", nil
}

// connection is how the command line is told of a site's cluster; the token comes from standard input.
func (s *site) connection() []string {
	return []string{s.name, "--url", s.plane.URL, "--ca-file", filepath.Join(s.plane.Dir, "ca.crt"), "--token-file", "-", "--restart"}
}

func testClusters(ctx context.Context, s *Stage) error {
	for _, site := range s.sites {
		if _, err := s.keyturn(ctx, s.anna, site.token, append([]string{"cluster", "test"}, site.connection()...)...); err != nil {
			return err
		}
	}
	return nil
}

// provedTest compares whom the token stands for with what kubectl says, and tries what must not pass: the other
// cluster's token, its CA, and saving what did not pass.
func provedTest(ctx context.Context, s *Stage) (string, error) {
	for _, site := range s.sites {
		out, err := s.keyturn(ctx, s.anna, site.token, append([]string{"cluster", "test", "-o", "json"}, site.connection()...)...)
		if err != nil {
			return "", err
		}
		var report struct{ User string }
		token, bad := base64.StdEncoding.DecodeString(site.token)
		if err := errors.Join(bad, json.Unmarshal([]byte(out), &report)); err != nil {
			return "", err
		}
		who, err := site.plane.KubectlAs(ctx, string(token), "", "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
		if err != nil || who != report.User {
			return "", fmt.Errorf("kubectl: the token is that of %q, not of %q (%w)", who, report.User, err)
		}
	}
	east, west := s.sites[0], s.sites[1]
	wrongCA := slices.Clone(east.connection())
	wrongCA[4] = filepath.Join(west.plane.Dir, "ca.crt")
	err := errors.Join(
		s.refusedWith(ctx, exitFailed, s.anna, west.token, append([]string{"cluster", "test"}, east.connection()...)...),
		s.refusedWith(ctx, exitFailed, s.anna, east.token, append([]string{"cluster", "test"}, wrongCA...)...),
		s.refusedWith(ctx, exitFailed, s.anna, west.token, append([]string{"cluster", "add"}, east.connection()...)...),
	)
	return "kubectl auth whoami agrees; another token or CA does not pass", err
}

func addClusters(ctx context.Context, s *Stage) error {
	for _, site := range s.sites {
		if _, err := s.keyturn(ctx, s.anna, site.token, append([]string{"cluster", "add"}, site.connection()...)...); err != nil {
			return err
		}
	}
	return nil
}

func provedClusters(ctx context.Context, s *Stage) (string, error) {
	for _, site := range s.sites {
		c, err := ask[struct{ UID, State, Version string }](ctx, s, s.anna, "cluster", "get", site.name)
		if err != nil {
			return "", err
		}
		uid, err := site.kubectl(ctx, "", "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
		if err != nil {
			return "", err
		}
		if c.UID != uid || c.State != "connected" {
			return "", fmt.Errorf("cluster %s is %s with uid %s, kubectl says %s", site.name, c.State, c.UID, uid)
		}
	}
	return "kubectl: kube-system has the same uid", nil
}

func listAvailable(ctx context.Context, s *Stage) error {
	for _, site := range s.sites {
		if _, err := s.admin(ctx, "cluster", "secrets", site.name); err != nil {
			return err
		}
	}
	return nil
}

// provedAvailable compares what Keyturn could fetch with what kubectl lists.
func provedAvailable(ctx context.Context, s *Stage) (string, error) {
	n := 0
	for _, site := range s.sites {
		out, err := s.admin(ctx, "cluster", "secrets", site.name, "-o", "json")
		if err != nil {
			return "", err
		}
		var found list[struct{ Namespace, Name string }]
		if err := errors.Join(json.Unmarshal([]byte(out), &found), absent([]byte(out), "the list", s.secrets)); err != nil {
			return "", err
		}
		var got, want []string
		for _, f := range found.Items {
			got = append(got, f.Namespace+"/"+f.Name)
		}
		all, err := site.list(ctx)
		if err != nil {
			return "", err
		}
		for _, m := range all {
			want = append(want, m.path())
		}
		if err := same("Secrets in "+site.name, got, want); err != nil {
			return "", err
		}
		n += len(got)
	}
	return fmt.Sprintf("kubectl lists the same %d", n), nil
}

func fetchSecrets(ctx context.Context, s *Stage) error {
	for _, site := range s.sites {
		if _, err := s.admin(ctx, "cluster", "fetch", site.name, "--all"); err != nil {
			return err
		}
	}
	if err := s.fetched(ctx, false); err != nil { // the machinery of a cluster is left out unless it is named
		return err
	}
	for _, site := range s.sites {
		_, err := s.admin(ctx, "cluster", "fetch", site.name, "--secret", "shop/sh.helm.release.v1.shop.v1", "--secret", "platform/robot-token")
		if err != nil {
			return err
		}
	}
	return nil
}

func provedFetch(ctx context.Context, s *Stage) (string, error) {
	return "kubectl lists the same, of every type", s.fetched(ctx, true)
}

// account is what the command line tells of a Secret in the repository.
type account struct{ ID, ResourceName, ClusterName, Namespace, Name, Type, State string }

// secretAccounts are the Secrets in the repository that p may see, of one site if that is not nil.
func (s *Stage) secretAccounts(ctx context.Context, p person, of *site, more ...string) ([]account, error) {
	l, err := ask[list[account]](ctx, s, p, append([]string{"account", "list", "--type", "kubernetes"}, more...)...)
	return slices.DeleteFunc(l.Items, func(a account) bool { return of != nil && a.ClusterName != of.name }), err
}

// fetched fails unless the repository has what the clusters have, with or without Helm's releases and ServiceAccount
// tokens.
func (s *Stage) fetched(ctx context.Context, machinery bool) error {
	for _, site := range s.sites {
		have, err := s.secretAccounts(ctx, s.anna, site)
		if err != nil {
			return err
		}
		var got, want []string
		for _, a := range have {
			got = append(got, a.Namespace+"/"+a.Name+" "+a.Type)
		}
		all, err := site.list(ctx)
		if err != nil {
			return err
		}
		for _, m := range all {
			left := m.Type == helmType || m.Type == accountToken
			if slices.Contains(namespaces, m.Metadata.Namespace) && (machinery || !left) {
				want = append(want, m.path()+" "+m.Type)
			}
		}
		if err := same("fetched from "+site.name, got, want); err != nil {
			return err
		}
	}
	return nil
}
