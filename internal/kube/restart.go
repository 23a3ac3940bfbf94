package kube

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/keyturn/keyturn/internal/fault"
)

// Controllers write a workload's status while it moves, so a read is often old; a few tries in a few seconds are enough.
const (
	restartTries = 7
	restartPause = 50 * time.Millisecond // doubled after each try
)

// Restarted says that a workload's template carries the marker.
type Restarted struct {
	// Workload has its UID.
	Workload Workload
	// Already says that the marker was there before, so that nothing was changed.
	Already bool
	// Generation and ResourceVersion are those of the workload with the marker.
	Generation      int64
	ResourceVersion string
	// Wanted is how many pods it should have; with none, nothing starts.
	Wanted int
}

var markers = regexp.MustCompile(`^[0-9A-Za-z._:/-]{1,128}$`)

// Restart writes marker, which must be unique to its cause such as one run, into the annotation RestartedBy of w's pod
// template, which makes the workload's controller replace its pods one after the other. With the marker of the last
// restart it changes nothing and says so: calling it again after an unclear answer is safe. It never writes against a newer
// change: it reads again and decides again. What is paused or replaces no pod by itself is not patched and fails with
// fault.Conflict and the obstacle's code; a workload that is gone, or another of its name, with fault.NotFound.
func (c *Conn) Restart(ctx context.Context, w Workload, marker string) (Restarted, error) {
	return c.restart(ctx, w, marker, metav1.PatchOptions{FieldManager: FieldManager})
}

func (c *Conn) restart(ctx context.Context, w Workload, marker string, opts metav1.PatchOptions) (Restarted, error) {
	what := "restart " + w.String()
	res, err := w.resource()
	if err != nil {
		return Restarted{}, err
	}
	if !markers.MatchString(marker) {
		return Restarted{}, fault.New(fault.Invalid, "%s: the marker is not 1 to 128 letters, digits or . _ : / -", what)
	}
	objects := c.loose.Resource(res).Namespace(w.Namespace)
	pause := restartPause
	for try := 1; ; try++ {
		u, err := objects.Get(ctx, w.Name, metav1.GetOptions{})
		if err != nil {
			return Restarted{}, c.faultOf(ctx, err, what)
		}
		s, err := w.stateOf(u, what)
		if err != nil {
			return Restarted{}, err
		}
		body, err := s.mark(what, marker)
		if err != nil {
			return Restarted{}, err
		}
		if body == nil {
			return s.restarted(w, true), nil
		}
		u, err = objects.Patch(ctx, w.Name, types.MergePatchType, body, opts)
		if err == nil {
			if s, err = w.stateOf(u, what); err == nil && s.marker != marker {
				err = fault.New(fault.Conflict, "%s: the cluster took the mark and did not keep it", what).WithCode("restart-undone").
					WithCure("look for an admission webhook that takes the annotation %s away", RestartedBy)
			}
			return s.restarted(w, false), err
		}
		err = c.faultOf(ctx, err, what)
		if !errors.Is(err, fault.Stale) {
			return Restarted{}, err
		}
		if try == restartTries {
			return Restarted{}, fault.New(fault.Stale, "%s: others change it faster than it can be marked", what).WithCode("workload-busy").
				WithCure("try again; if that does not help, look at who writes to it").WithUnchanged("nothing was changed in the cluster")
		}
		select {
		case <-ctx.Done():
			return Restarted{}, apiFault(ctx.Err(), what)
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// stateOf reads u, which must be w.
func (w Workload) stateOf(u *unstructured.Unstructured, what string) (state, error) {
	s, err := workloadState(u)
	if err != nil || s.uid == "" || u.GetName() != w.Name {
		return state{}, noAnswer(what)
	}
	if w.UID != "" && s.uid != w.UID {
		return state{}, fault.New(fault.NotFound, "%s: another %s has its name now", what, w.Kind).WithCode("workload-replaced").
			WithCure("look at who reads the Secret again").WithUnchanged("nothing was changed in the cluster")
	}
	return s, nil
}

// mark decides about a restart and returns the patch that does it; nil when the marker is there.
func (s state) mark(what, marker string) ([]byte, error) {
	if s.marker == marker {
		return nil, nil
	}
	if o, blocked := s.blocked(); blocked {
		return nil, fault.New(fault.Conflict, "%s: %s", what, o.Says).WithCode(o.Code).WithCure("%s", o.Cure).
			WithUnchanged("nothing was changed in the cluster")
	}
	type object = map[string]any
	return json.Marshal(object{
		"metadata": object{"uid": s.uid, "resourceVersion": s.resourceVersion},
		"spec":     object{"template": object{"metadata": object{"annotations": object{RestartedBy: marker}}}},
	})
}

func (s state) restarted(w Workload, already bool) Restarted {
	w.UID = s.uid
	return Restarted{w, already, s.generation, s.resourceVersion, s.wanted}
}
