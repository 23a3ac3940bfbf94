package api

import (
	"net/http"
	"testing"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/identity"
)

func TestATokenIsRenewedOnceItPasses(t *testing.T) {
	e := newEstate(t)
	ctx := t.Context()
	admin, _ := e.as(identity.Administrator)
	c, err := admin.Cluster(ctx, "prod")
	ok(t, err)
	e.checks.report = passedReport(c.UID)
	for _, may := range []bool{false, true} {
		c, err = admin.UpdateCluster(ctx, "prod", c.Rev, client.ClusterChange{Scope: &client.Scope{Access: "read-only", RenewToken: may}})
		ok(t, err)
		if !may {
			_, err = admin.RenewToken(ctx, "prod", c.Rev)
			refused(t, err, http.StatusConflict, "cluster-right-missing")
		}
	}
	_, err = admin.RenewToken(ctx, "prod", c.Rev-1)
	refused(t, err, http.StatusPreconditionFailed, "stale")
	if len(e.checks.ended) != 0 {
		t.Error("a token was ended before anything was renewed")
	}

	e.checks.report = failedReport()
	_, err = admin.RenewToken(ctx, "prod", c.Rev)
	refused(t, err, http.StatusUnprocessableEntity, "cluster-test-failed")
	if len(e.checks.ended) != 1 || e.checks.ended[0] != [2]string{tokenValue, "canary-next-token"} {
		t.Errorf("after a new token that did not pass: %v", e.checks.ended)
	}

	e.checks.report = passedReport(c.UID)
	_, err = admin.RenewToken(ctx, "prod", c.Rev)
	ok(t, err)
	if len(e.checks.ended) != 2 || e.checks.ended[1] != [2]string{"canary-next-token", tokenValue} {
		t.Errorf("after the renewal: %v", e.checks.ended)
	}
	e.quiet()
}
