package cli

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/client"
)

func TestResetWaitsForTheRun(t *testing.T) {
	w := newWorld(t)
	looks := 0
	run := w.answers["GET /runs/"+runID].(client.Run)
	w.answers["GET /runs/"+runID] = func(*http.Request) any {
		looks++
		r := run
		if looks <= len(run.Steps) {
			r.State, r.Steps = "running", append(slices.Clone(run.Steps[:looks-1]), client.RunStep{Name: run.Steps[looks-1].Name, State: "running"})
			r.Rollouts = nil
			if looks == len(run.Steps) {
				r.Rollouts = []client.RunRollout{{Cluster: "prod-eu", Kind: "Deployment", Namespace: "shop", Name: "api", State: "rolling", Wanted: 3, Ready: 1, Old: 2, Reason: "pod api-1 cannot pull its image", At: agoP(7 * time.Second)}}
			}
		}
		return r
	}
	r := w.run("", "account", "reset", "orders-db/app", "--wait")
	want := "run: " + runID + "\n11:59:10  minted       done\n11:59:20  applied      done: with its own login\n11:59:53    shop/Deployment/api  rolling: 1 of 3 pods ready on the new value, 2 old left; pod api-1 cannot pull its image\n" +
		"11:59:55    shop/Deployment/api  done: 3 of 3 pods ready on the new value, 0 old left\n" +
		"11:59:55  rolled out   done: No pod of 1 workload is left from before the write.\n" +
		"state: done\nknown: The system accepts the new value.\nknown: Every mapped key has it.\n"
	if r.code != 0 || r.out != want || looks != 4 {
		t.Errorf("%d looks, %+v", looks, r)
	}
	run.State, run.Reason, run.Cure = "needs_attention", "The target does not answer.", "Start it, then resume."
	looks = 9
	r = w.run("", "rotation", "watch", runID)
	wantErr := "error: the run is not done: needs attention\ncause: The target does not answer.\ncure: Start it, then resume.\n" +
		"known: The system accepts the new value.\nknown: Every mapped key has it.\nsee: keyturn rotation get " + runID + "\n"
	if r.code != exitFailed || !strings.HasSuffix(r.out, "state: needs attention\n") || r.err != wantErr {
		t.Errorf("%+v", r)
	}
	r = w.run("", "account", "reset", "orders-db/app", "--wait", "-o", "json")
	if r.code != exitFailed || !strings.HasPrefix(r.out, "{") || r.err != "run: "+runID+"\n"+wantErr {
		t.Errorf("%+v", r)
	}
	if r = w.run("", "rotation", "resume", runID, "--wait", "-o", "name"); r.code != exitFailed || r.out != runID+"\n" || r.err != "run: "+runID+"\n"+wantErr {
		t.Errorf("%+v", r)
	}
}

func TestAnInterruptedWaitSaysThatTheRunGoesOn(t *testing.T) {
	for line, want := range map[string]string{
		"rotation watch " + runID:             "unchanged: The run goes on in the server.\nsee: keyturn rotation watch " + runID + "\n",
		"account reset orders-db/app --wait":  "unchanged: The run goes on in the server.\nsee: keyturn rotation watch " + runID + "\n",
		"cluster fetch prod-eu --all -o json": "unchanged: The fetch goes on in the server.\nsee: keyturn cluster get prod-eu\n",
		"cluster sync prod-eu":                "unchanged: The sync goes on in the server.\nsee: keyturn cluster get prod-eu\n",
	} {
		w := newWorld(t)
		ctx, interrupt := context.WithCancel(t.Context())
		w.answers["GET /runs/"+runID] = func(*http.Request) any {
			interrupt()
			return client.Run{ID: runID, State: "running"}
		}
		for _, kind := range []string{"fetch", "sync"} {
			f := client.Fetch{ID: "f1", ClusterID: "c1", Kind: kind, State: "running"}
			start := map[string]string{"fetch": "POST /clusters/prod-eu/fetches", "sync": "POST /clusters/prod-eu/sync"}[kind]
			w.answers[start] = func(*http.Request) any {
				time.AfterFunc(50*time.Millisecond, interrupt)
				return f
			}
		}
		var out, errs strings.Builder
		k := &command{now: time.Now, poll: time.Minute, Streams: Streams{In: strings.NewReader(""), Out: &out, Err: &errs,
			Env: func(name string) string { return w.env[name] }}}
		code := k.run(ctx, strings.Fields(line))
		if code != exitFailed || errs.String() != "error: interrupted; only the waiting has stopped\n"+want {
			t.Errorf("%s: code %d: %s", line, code, errs.String())
		}
		if strings.Contains(line, "reset") && !strings.HasPrefix(out.String(), "run: "+runID+"\n") {
			t.Errorf("%s: %s", line, out.String())
		}
	}
}

// TestAWaitThatLosesItsServerSaysWhereToLook is for the answer that does not come.
func TestAWaitThatLosesItsServerSaysWhereToLook(t *testing.T) {
	w := newWorld(t)
	w.answers["GET /runs/"+runID] = client.Problem{Type: "urn:keyturn:problem:x", Status: 503, Title: "The server is busy", Cure: "Try again."}
	r := w.run("", "rotation", "watch", runID)
	want := "error: The server is busy\ncure: Try again.\nunchanged: The run goes on in the server.\nsee: keyturn rotation watch " + runID + "\n"
	if r.code != exitFailed || r.err != want {
		t.Errorf("%+v", r)
	}
	if r = w.run("", "rotation", "watch", "nothing"); r.code != exitNotFound || strings.Contains(r.err, "goes on") {
		t.Errorf("%+v", r)
	}
}

// TestAVerdictGoesToStandardError is for scripts that keep only what was asked for.
func TestAVerdictGoesToStandardError(t *testing.T) {
	w := newWorld(t)
	if r := w.run("", "rotation", "rehearse", "orders-db/app", "--wait"); r.code != exitFailed || !strings.Contains(r.err, "the account is not ready: not ready") || !strings.Contains(r.err, "Make it anew.") {
		t.Errorf("%+v", r)
	}
	w.answers["POST /accounts/a1/verify"] = client.Verified{State: "unverified", Reason: "The password is refused.", Cure: "Reset it.", At: noon}
	r := w.run("", "account", "verify", "orders-db/app")
	want := result{exitFailed, "account:  orders-db/app\nstate:    unverified\nat:       2027-01-02 12:00:00Z\n",
		"error: orders-db/app was not proved: it is unverified\ncause: The password is refused.\ncure: Reset it.\n"}
	if r != want {
		t.Errorf("%+v", r)
	}
	w.answers["POST /clusters/prod-eu/test"] = client.Report{Checks: []client.Check{{Name: "host", State: "failed", Steps: []client.CheckStep{
		{Name: "dns", State: "failed", Cause: "The name has no address.", Cure: "Correct it."}}}}}
	want = result{exitFailed, "1. Is the host reachable and trusted?  failed\n   failed  dns\n",
		"error: the cluster did not pass its checks\ncause: The name has no address.\ncure: Correct it.\n"}
	if r = w.run("", "cluster", "test", "prod-eu"); r != want {
		t.Errorf("%+v", r)
	}
	if r = w.run("", "cluster", "test", "prod-eu", "-o", "json"); r.code != exitFailed || !strings.Contains(r.out, "Correct it.") || r.err != want.err {
		t.Errorf("%+v", r)
	}
}

func TestAValueThatCannotBeSentSaysWhy(t *testing.T) {
	w := newWorld(t)
	for in, want := range map[string]string{strings.Repeat("v", 1<<20+1): "1 MiB", "\xff\xfe": "UTF-8"} {
		r := w.run(in, "account", "reset", "orders-db/app", "--value-file", "-")
		if r.code != exitUsage || !strings.Contains(r.err, want) || !strings.Contains(r.err, "\ncure: ") {
			t.Errorf("%+v", r)
		}
	}
}

// What was named and is not brought is a failure; what a rule or a namespace would have brought is told only.
func TestAFetchThatMissesWhatWasNamedFails(t *testing.T) {
	w := newWorld(t)
	w.answers["POST /clusters/prod-eu/fetches"] = w.answers["GET /clusters/c1/fetches/f1"]
	for chosen, want := range map[string]int{"--secret=shop/big,shop/web": 1, "--secret=shop/web": 0, "--namespace=shop": 0} {
		r := w.run("", "cluster", "fetch", "prod-eu", chosen)
		if r.code != want || (want == 1) != strings.Contains(r.err, "missing: shop/big\n") || !strings.Contains(r.out, "shop/big") {
			t.Errorf("%s: %+v", chosen, r)
		}
	}
}

func TestFetchWaits(t *testing.T) {
	w := newWorld(t)
	done := w.answers["GET /clusters/c1/fetches/f1"].(client.Fetch)
	looks := 0
	w.answers["POST /clusters/prod-eu/fetches"] = client.Fetch{ID: "f1", ClusterID: "c1", Kind: "fetch", State: "queued"}
	w.answers["GET /clusters/c1/fetches/f1"] = func(*http.Request) any {
		if looks++; looks < 3 {
			return client.Fetch{ID: "f1", ClusterID: "c1", Kind: "fetch", State: "running", Total: int64(looks)}
		}
		return done
	}
	r := w.run("", "cluster", "fetch", "prod-eu", "--rule", "namespace=pay*", "--rule", "type=Opaque", "--rule", "label=a=b", "--rule", "label=c", "--secret", "shop/web")
	if r.code != 0 || looks != 3 || !strings.Contains(r.out, "added:      10\n") || r.err != "" {
		t.Errorf("%d looks, %+v", looks, r)
	}
	if want := `POST /api/v1/clusters/prod-eu/fetches {"secrets":["shop/web"],"rule":{"namespaces":["pay*"],"labels":"a=b,c","types":["Opaque"]}}`; w.seen[0] != want {
		t.Errorf("sent %s", w.seen[0])
	}
	r = w.run("", "cluster", "fetch", "prod-eu", "--all", "--no-wait")
	if r.code != 0 || looks != 3 || !strings.Contains(r.out, "queued") {
		t.Errorf("%+v", r)
	}
	done.State, done.Reason = "failed", "The cluster went away."
	if r = w.run("", "cluster", "sync", "prod-eu"); r.code != 0 {
		t.Errorf("%+v", r)
	}
	if r = w.run("", "cluster", "fetch", "prod-eu", "--all"); r.code != exitFailed || r.err != "error: the fetch of prod-eu failed\ncause: The cluster went away.\n" {
		t.Errorf("%+v", r)
	}
}
