package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/test/testbed"
)

// look proves from outside, with psql, Redis and kubectl, that nothing was lost: what the vault holds as current is what the
// system takes and what stands in every mapped key, no run said of its system what is not so, no workload was restarted twice
// for one run, the audit log verifies here and on an export, and no password lies in a file of the repository.
func (b *bed) look(ctx context.Context) (lost []string, err error) {
	c, err := b.server.client()
	if err != nil {
		return nil, err
	}
	for _, a := range b.accounts {
		out, err := b.lookAt(ctx, c, a)
		if err != nil {
			return nil, err
		}
		for _, l := range out {
			lost = append(lost, a.name+": "+l)
		}
	}
	for _, plane := range b.clusters.Planes {
		out, err := restarts(ctx, plane)
		if err != nil {
			return nil, err
		}
		lost = append(lost, out...)
	}
	out, err := b.audited(ctx, c)
	if err != nil {
		return nil, err
	}
	return append(append(lost, out...), b.plaintext()...), nil
}

func (b *bed) lookAt(ctx context.Context, c *client.Client, a *account) (lost []string, err error) {
	revealed, err := c.Reveal(ctx, a.id, client.Reveal{})
	if err != nil {
		return nil, err
	}
	value := revealed.Value.Text()
	b.values[value] = true
	lost, a.lies = a.lies, nil
	if err := b.login(ctx, a, value); err != nil {
		lost = append(lost, fmt.Sprintf("its system does not take the vault's current value: %v", err))
	}
	if a.run == "" {
		return lost, nil
	}
	run, err := c.Run(ctx, a.run)
	if err != nil {
		return nil, err
	}
	if run.State == "done" {
		old, err := c.Reveal(ctx, a.id, client.Reveal{Version: run.Old})
		if err != nil {
			return nil, err
		}
		if old.Value.Text() == value || b.login(ctx, a, old.Value.Text()) == nil {
			lost = append(lost, "the run is done, and its system takes the old value")
		}
	}
	named := map[string]bool{} // keys of which the run says that they are not written
	for _, w := range run.Writes {
		named[w.Cluster+"/"+w.Key] = w.State != "in_sync"
	}
	for _, plane := range b.clusters.Planes {
		data, err := secret(ctx, plane, a.name)
		if err != nil {
			return nil, err
		}
		if data["other"] != "stays" {
			lost = append(lost, "a key that is not mapped was changed in "+plane.Name)
		}
		for key, want := range map[string]string{"password": value, "url": a.url(value)} {
			if holds := data[key] == want; holds == named[plane.Name+"/"+key] {
				lost = append(lost, fmt.Sprintf("key %s in %s holds the current value: %v; the run (%s) says that it is not written: %v", key, plane.Name, holds, run.State, !holds && named[plane.Name+"/"+key]))
			}
		}
	}
	return lost, nil
}

func (b *bed) login(ctx context.Context, a *account, value string) error {
	if a.redis {
		return b.redisDo(ctx, a.name, value, "PING")
	}
	_, err := b.postgres.Psql(ctx, a.name, value, "SELECT 1")
	return err
}

// secret reads one with kubectl.
func secret(ctx context.Context, plane *testbed.ControlPlane, name string) (map[string]string, error) {
	out, err := plane.Kubectl(ctx, "", "-n", namespace, "get", "secret", name, "-o", "json")
	if err != nil {
		return nil, err
	}
	var object struct{ Data map[string][]byte }
	if err := json.Unmarshal([]byte(out), &object); err != nil {
		return nil, err
	}
	data := map[string]string{}
	for k, v := range object.Data {
		data[k] = string(v)
	}
	return data, nil
}

// restarts looks at every ReplicaSet that there ever was: each is one restart, and carries the run that it was for.
func restarts(ctx context.Context, plane *testbed.ControlPlane) (lost []string, err error) {
	out, err := plane.Kubectl(ctx, "", "-n", namespace, "get", "replicasets", "-o",
		`jsonpath={range .items[*]}{.metadata.labels.app} {.spec.template.metadata.annotations.keyturn\.dev/restarted-by}{"\n"}{end}`)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for line := range strings.Lines(out) {
		if seen[line] {
			lost = append(lost, "a workload in "+plane.Name+" was restarted twice for one run: "+line)
		}
		seen[line] = true
	}
	return lost, nil
}

// audited verifies the log at the server, and an export of it without one.
func (b *bed) audited(ctx context.Context, c *client.Client) (lost []string, err error) {
	var live client.AuditVerification
	err = poll(ctx, "every event has its place in the audit log", func() error {
		if live, err = c.VerifyAudit(ctx); err == nil && live.Unsequenced > 0 {
			err = fmt.Errorf("%d have none", live.Unsequenced)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if live.State != "intact" {
		lost = append(lost, fmt.Sprintf("the audit log is %s: %s", live.State, live.Reason))
	}
	var text bytes.Buffer
	if err := c.AuditExport(ctx, &text, 0, 0); err != nil {
		return nil, err
	}
	b.exported++
	file := filepath.Join(b.folder, fmt.Sprintf("audit-%d.jsonl", b.exported))
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		return nil, err
	}
	defer os.Remove(file)
	if out, err := b.server.command(ctx, "audit", "verify", "--file", file, "--key", live.Key, "--server", "https://127.0.0.1:1"); err != nil {
		lost = append(lost, fmt.Sprintf("the audit log's export does not verify: %v", err))
	} else if !strings.Contains(out, "intact") {
		lost = append(lost, "the audit log's export is not intact: "+out)
	}
	return lost, nil
}

// plaintext looks for passwords in everything that the server has written.
func (b *bed) plaintext() (lost []string) {
	_ = filepath.WalkDir(b.folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || path == b.server.program || !strings.HasPrefix(path, b.server.data()) && path != b.server.log() {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		for value := range b.values {
			if bytes.Contains(text, []byte(value)) || bytes.Contains(text, []byte(base64.StdEncoding.EncodeToString([]byte(value)))) {
				lost = append(lost, "a password lies in "+path)
				break
			}
		}
		return nil
	})
	return lost
}
