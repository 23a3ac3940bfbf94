package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
)

func newCluster(name string) client.NewCluster {
	return client.NewCluster{Name: name, Server: "https://10.0.0.2:6443", Token: client.NewValue(tokenValue), Scope: client.Scope{Access: "read-write"}}
}

func TestAClusterIsSavedOnlyWhenItsChecksPass(t *testing.T) {
	e := newEstate(t)
	ctx := t.Context()
	olga, _ := e.as(identity.Operator, "olga")
	other, _ := e.as(identity.Operator, "other")
	e.checks.report = failedReport()
	_, err := olga.AddCluster(ctx, newCluster("west"))
	refused(t, err, http.StatusUnprocessableEntity, "cluster-test-failed")
	p := err.(*client.Problem)
	if p.Report == nil || p.Report.OK || p.Report.MissingManifest == "" || p.Report.Checks[0].Steps[0].Cure != "Paste another token" || p.Cure != "Paste another token" {
		t.Errorf("the report is not in the problem: %+v", p)
	}
	e.checks.report = passedReport("uid-west")
	made, err := olga.AddCluster(ctx, newCluster("west"))
	ok(t, err)
	if made.Name != "west" || made.State != "connected" || made.Version != "v1.36.3" || made.Scope.Access != "read-write" || made.Scope.Namespaces != nil ||
		!made.Can["delete"].Allowed || made.Rev != 1 || made.Fetch != nil {
		t.Errorf("made: %+v", made)
	}
	_, err = other.Cluster(ctx, made.ID)
	refused(t, err, http.StatusNotFound, "not-found")
	page, err := other.Clusters(ctx, client.ClusterFilter{})
	ok(t, err)
	if len(page.Items) != 0 || page.Total != 0 || !page.Can["create"].Allowed {
		t.Errorf("another operator sees %+v", page)
	}
	report, err := olga.TestCluster(ctx, newCluster("again"))
	ok(t, err)
	if !report.OK || report.Known != "west" || report.Removed {
		t.Errorf("the second test: %+v", report)
	}
	e.quiet()
}

func TestAClusterIsChangedAgainstItsRevision(t *testing.T) {
	e := newEstate(t)
	ctx := t.Context()
	admin, _ := e.as(identity.Administrator)
	e.checks.report = passedReport(e.cluster.UID)
	have, err := admin.Cluster(ctx, "prod") // by name
	ok(t, err)
	server := "https://10.9.9.9:6443"
	_, err = admin.UpdateCluster(ctx, "prod", have.Rev, client.ClusterChange{Server: &server})
	refused(t, err, http.StatusUnprocessableEntity, "invalid")
	if p := err.(*client.Problem); len(p.Errors) != 1 || p.Errors[0].Location != "body.token" {
		t.Errorf("the field is not named: %+v", p)
	}
	if len(e.checks.looked) != 0 {
		t.Error("the stored token was sent to another host")
	}
	name := "production"
	changed, err := admin.UpdateCluster(ctx, e.cluster.ID, have.Rev, client.ClusterChange{Name: &name})
	ok(t, err)
	if changed.Name != name || changed.Rev != have.Rev+1 {
		t.Errorf("changed: %+v", changed)
	}
	_, err = admin.UpdateCluster(ctx, e.cluster.ID, have.Rev, client.ClusterChange{Name: &name})
	refused(t, err, http.StatusPreconditionFailed, "stale")
	err = admin.DeleteCluster(ctx, name, 0) // sends no If-Match
	refused(t, err, http.StatusPreconditionRequired, "precondition-required")
	report, err := admin.RetestCluster(ctx, name, client.ClusterChange{})
	ok(t, err)
	if !report.OK {
		t.Errorf("retest: %+v", report)
	}
	ok(t, admin.DeleteCluster(ctx, name, changed.Rev))
	_, err = admin.Cluster(ctx, name)
	refused(t, err, http.StatusNotFound, "not-found")
	gone, err := admin.Clusters(ctx, client.ClusterFilter{Removed: true})
	ok(t, err)
	if len(gone.Items) != 1 || gone.Items[0].State != "removed" || gone.Items[0].Can["fetch"].Allowed {
		t.Errorf("removed: %+v", gone.Items)
	}
	e.quiet()
}

func TestConnectorIsAFile(t *testing.T) {
	e := newEstate(t)
	u := e.user("olga", identity.Operator)
	auth := []string{"Authorization", "Bearer " + e.session(u).Text()}
	r := e.send("GET", "/connector?namespaces=a,b&access=read-write&restart=true", nil, auth...)
	if r.status != http.StatusOK || r.header.Get("Content-Type") != "application/yaml" || string(r.body) != "kind: Role\nnamespaces: a\n" ||
		r.header.Get("Content-Disposition") != `attachment; filename="keyturn-config.yaml"` {
		t.Errorf("%d %v %s", r.status, r.header, r.body)
	}
	if r = e.send("GET", "/connector", nil, auth...); r.status != http.StatusOK || string(r.body) != "kind: ClusterRole\n" {
		t.Errorf("%d %s", r.status, r.body)
	}
	plain, _ := e.as(identity.PlainUser)
	_, err := plain.Connector(t.Context(), client.Scope{})
	refused(t, err, http.StatusForbidden, "denied")
}

func TestFetches(t *testing.T) {
	e := newEstate(t)
	ctx := t.Context()
	mia, u := e.as(identity.PlainUser, "mia")
	viewer, v := e.as(identity.PlainUser, "vera")
	e.grant(u, access.Cluster, e.cluster.ID, policy.Manage)
	e.grant(v, access.Cluster, e.cluster.ID, policy.View)
	_, err := mia.FetchSecrets(ctx, "prod", client.Selection{})
	refused(t, err, http.StatusUnprocessableEntity, "invalid")
	_, err = viewer.FetchSecrets(ctx, "prod", client.Selection{All: true})
	refused(t, err, http.StatusForbidden, "denied")
	f, err := mia.FetchSecrets(ctx, "prod", client.Selection{Rule: &client.Rule{Names: []string{"db-*"}}})
	ok(t, err)
	if f.Kind != "fetch" || f.State != "queued" || f.Actor != "mia" || f.ClusterID != e.cluster.ID {
		t.Errorf("fetch: %+v", f)
	}
	_, err = mia.Sync(ctx, "prod")
	refused(t, err, http.StatusConflict, "fetch-running")
	all, err := viewer.Fetches(ctx, "prod")
	ok(t, err)
	one, err := viewer.Fetch(ctx, "prod", f.ID)
	ok(t, err)
	if len(all) != 1 || one.ID != f.ID {
		t.Errorf("fetches: %+v, one: %+v", all, one)
	}
	_, err = viewer.Fetch(ctx, "prod", newID())
	refused(t, err, http.StatusNotFound, "not-found")
	cluster, err := viewer.Cluster(ctx, "prod")
	ok(t, err)
	if cluster.Fetch == nil || cluster.Fetch.ID != f.ID || cluster.Secrets != 1 || cluster.Resources != 1 {
		t.Errorf("cluster: %+v", cluster)
	}
	remote, err := mia.Available(ctx, "prod", "shop")
	ok(t, err)
	if len(remote.Items) != 1 || !remote.Items[0].Fetched || remote.Namespaces[0].Problem != "The connector has no right there" {
		t.Errorf("available: %+v", remote)
	}
}

// What one may not know of answers as what is not there, for each kind of object.
func TestHiddenReadsAsAbsent(t *testing.T) {
	e := newEstate(t)
	u := e.user("eve", identity.PlainUser)
	auth := []string{"Authorization", "Bearer " + e.session(u).Text()}
	for path, id := range map[string]string{
		"/clusters/": e.cluster.ID, "/clusters/#name": e.cluster.Name, "/resources/": e.db.ID, "/resources/#name": e.db.Name,
		"/accounts/": e.account.ID, "/secrets/": e.secret.ID,
	} {
		path = strings.TrimSuffix(path, "#name")
		hidden, absent := e.send("GET", path+id, nil, auth...), e.send("GET", path+newID(), nil, auth...)
		if hidden.status != http.StatusNotFound || absent.status != http.StatusNotFound || string(withoutRequest(t, hidden)) != string(withoutRequest(t, absent)) {
			t.Errorf("%s: hidden %s, absent %s", path, hidden.body, absent.body)
		}
	}
	for _, path := range []string{"/secrets?cluster=", "/secrets?resource=", "/resources?cluster=", "/mappings?cluster=", "/accounts?resource="} {
		known, unknown := e.send("GET", path+"prod", nil, auth...), e.send("GET", path+"nobody", nil, auth...)
		if known.status != http.StatusOK || unknown.status != http.StatusOK || !bytes.Contains(known.body, []byte(`"total":0`)) {
			t.Errorf("%s: %s and %s", path, known.body, unknown.body)
		}
	}
}

func withoutRequest(t *testing.T, r reply) []byte {
	t.Helper()
	var p client.Problem
	ok(t, json.Unmarshal(r.body, &p))
	p.RequestID = ""
	out, err := json.Marshal(p)
	ok(t, err)
	return out
}
