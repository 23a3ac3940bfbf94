package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/kube"
	"github.com/keyturn/keyturn/internal/rotation"
)

// Workloads implements rotation.Clusters.
func (c *Clusters) Workloads(ctx context.Context, id string) (rotation.Workloads, bool, error) {
	cluster, err := c.Store.Cluster(ctx, id)
	if err != nil || !cluster.Scope.Restart {
		return nil, false, err
	}
	conn, err := c.dial(cluster)
	if err != nil {
		return nil, false, err
	}
	return clusterWorkloads{conn}, true, nil
}

// clusterWorkloads restarts what reads the Secrets of one cluster.
type clusterWorkloads struct{ conn *kube.Conn }

// Readers implements rotation.Workloads.
func (w clusterWorkloads) Readers(ctx context.Context, secrets [][2]string) (rotation.Census, error) {
	want := make([]kube.SecretRef, len(secrets))
	for i, s := range secrets {
		want[i] = kube.SecretRef{Namespace: s[0], Name: s[1]}
	}
	found, err := w.conn.Readers(ctx, want)
	if err != nil {
		return rotation.Census{}, err
	}
	var out rotation.Census
	for _, r := range found.Readers {
		out.Readers = append(out.Readers, readerOf(r))
	}
	out.Note = unseen(found.Unreadable)
	return out, nil
}

// readerOf says of a reader what its pods hold, beside all that it reads. What pulls images or ends TLS reads its Secret
// whenever it needs it, and holds nothing.
func readerOf(r kube.Reader) rotation.Reader {
	out := rotation.Reader{Workload: rotation.Workload{Kind: string(r.Kind), Namespace: r.Namespace, Name: r.Name, UID: r.UID},
		Later: r.Kind == kube.KindCronJob, Kept: r.Kept, Wanted: r.Wanted, Ready: r.Ready}
	for _, o := range r.Obstacles {
		out.Single = out.Single || o.Code == kube.ObstacleSingle
		out.Weigh = append(out.Weigh, rotation.Warning{Code: o.Code, Text: o.Says, Cure: o.Cure, Blocks: o.Blocks && !out.Later})
	}
	for _, u := range r.Uses {
		out.Uses = append(out.Uses, rotation.Use{Secret: u.Secret.Name, Keys: u.Keys, How: string(u.How), Container: u.Container, Init: u.Init, At: u.At,
			Optional: u.Optional, Refreshes: u.Refreshes, InPodsOnly: u.InPodsOnly})
		switch u.How {
		case kube.HowPullSecret, kube.HowServiceAccount, kube.HowIngress:
		default:
			out.Holds = append(out.Holds, rotation.Holding{Secret: u.Secret.Name, Keys: u.Keys})
		}
	}
	if !r.Restartable() {
		out.Refused, out.Cure = "a "+string(r.Kind)+" is not restarted by Keyturn", "restart it by hand, then resume"
		for _, o := range r.Obstacles {
			if o.Blocks {
				out.Refused, out.Cure = o.Says, o.Cure+", then resume"
				break
			}
		}
	}
	return out
}

// unseen says which kinds a census could not look at.
func unseen(kinds []kube.Unreadable) string {
	var names []string
	seen := map[string]bool{}
	for _, k := range kinds {
		if name := string(k.Kind); !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("the connector may not list %s there, so those that read the keys are not known; apply its manifest again", strings.Join(names, ", "))
}

func workloadOf(w rotation.Workload) kube.Workload {
	return kube.Workload{Kind: kube.ReaderKind(w.Kind), Namespace: w.Namespace, Name: w.Name, UID: w.UID}
}

// Restart implements rotation.Workloads.
func (w clusterWorkloads) Restart(ctx context.Context, at rotation.Workload, marker string, names map[string]string) (follow bool, err error) {
	if kube.ReaderKind(at.Kind).TakesNames() {
		return false, w.conn.Rename(ctx, workloadOf(at), names)
	}
	_, err = w.conn.Restart(ctx, workloadOf(at), marker, names)
	return true, err
}

// TryRestart implements rotation.Workloads.
func (w clusterWorkloads) TryRestart(ctx context.Context, at rotation.Workload, names map[string]string) error {
	if kube.ReaderKind(at.Kind).TakesNames() {
		return tried(w.conn.TryRename(ctx, workloadOf(at), names))
	}
	return tried(w.conn.TryRestart(ctx, workloadOf(at), names))
}

// tried gives a dry run that shows nothing the code that a rehearsal asks for.
func tried(err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Code == kube.CodeNoDryRun {
		return f.WithCode(rotation.NotProvable)
	}
	return err
}

// lookAgain is how often whoever follows a restart is told of it while nothing changes.
const lookAgain = time.Second

// Follow implements rotation.Workloads. A restart that another one overtakes is followed by way of that: its pods were made
// later still.
func (w clusterWorkloads) Follow(ctx context.Context, at rotation.Workload, marker string, seen func(rotation.Sight) error) (rotation.Sight, error) {
	for {
		last, err := w.follow(ctx, workloadOf(at), marker, seen)
		if err != nil {
			return sightOf(last), err
		}
		if last.State != kube.RolledOvertaken {
			return sightOf(last), nil
		}
		if last.Marker == "" {
			return sightOf(last), fault.New(fault.Conflict, "the mark of the restart was taken away from its template").WithCode("restart-undone").
				WithCure("find what keeps the template equal to a source (Argo CD, Flux, an operator) and let it ignore the annotation %s, then resume", kube.RestartedBy)
		}
		marker = last.Marker
	}
}

func (w clusterWorkloads) follow(ctx context.Context, at kube.Workload, marker string, seen func(rotation.Sight) error) (kube.Rollout, error) {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	changes, end := make(chan kube.Rollout), make(chan struct{})
	var last kube.Rollout
	var err error
	go func() {
		defer close(end)
		last, err = w.conn.RolledOut(ctx, at, marker, func(r kube.Rollout) {
			select {
			case changes <- r:
			case <-ctx.Done():
			}
		})
	}()
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	var now *kube.Rollout
	for {
		select {
		case <-end:
			if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) {
				err = cause
			}
			return last, err
		case r := <-changes:
			now = &r
		case <-tick.C:
		}
		if now == nil {
			continue
		}
		if why := seen(sightOf(*now)); why != nil {
			giveUp(why)
			<-end
			return *now, why
		}
	}
}

func sightOf(r kube.Rollout) rotation.Sight {
	s := rotation.Sight{Wanted: r.Wanted, New: r.New, Ready: r.Ready, Old: r.Old, Gone: r.State == kube.RolledGone}
	if len(r.Stuck) > 0 && r.State == kube.Rolling {
		s.Stuck = r.Stuck[0].Says
		s.GivenUp = slices.ContainsFunc(r.Stuck, func(x kube.Stuck) bool { return x.Code == kube.StuckDeadline })
	}
	return s
}
