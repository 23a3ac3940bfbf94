package kube

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
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
// template, which makes the workload's controller replace its pods one after the other. In the same write its references to
// Secrets get their new names, if there are any. With the marker of the last restart and no old name left it changes nothing
// and says so: calling it again after an unclear answer is safe. It never writes against a newer change: it reads again and
// decides again. What is paused or replaces no pod by itself is not patched and fails with fault.Conflict and the obstacle's
// code; a workload that is gone, or another of its name, with fault.NotFound.
func (c *Conn) Restart(ctx context.Context, w Workload, marker string, names Renames) (Restarted, error) {
	return c.restart(ctx, w, marker, names, metav1.PatchOptions{FieldManager: FieldManager})
}

func (c *Conn) restart(ctx context.Context, w Workload, marker string, names Renames, opts metav1.PatchOptions) (Restarted, error) {
	what := "restart " + w.String()
	res, err := w.resource()
	if err != nil {
		return Restarted{}, err
	}
	if !markers.MatchString(marker) {
		return Restarted{}, fault.New(fault.Invalid, "%s: the marker is not 1 to 128 letters, digits or . _ : / -", what)
	}
	var s state
	written, err := c.change(ctx, res, w, what, opts, func(u *unstructured.Unstructured) ([]byte, error) {
		var err error
		if s, err = w.stateOf(u, what); err != nil {
			return nil, err
		}
		return s.mark(what, marker, referrers[w.Kind].patch(u, names))
	})
	if err != nil || written == nil {
		return s.restarted(w, true), err
	}
	if s, err = w.stateOf(written, what); err == nil && (s.marker != marker || referrers[w.Kind].patch(written, names) != nil) {
		err = fault.New(fault.Conflict, "%s: the cluster took the mark and did not keep it", what).WithCode("restart-undone").
			WithCure("look for an admission webhook that takes the annotation %s away, or changes the names of Secrets back", RestartedBy)
	}
	return s.restarted(w, false), err
}

// Rename gives the references of an object that TakesNames their new names, as Restart does for a workload, and restarts
// nothing. Where none of the old ones is left it changes nothing.
func (c *Conn) Rename(ctx context.Context, w Workload, names Renames) error {
	return c.rename(ctx, w, names, metav1.PatchOptions{FieldManager: FieldManager})
}

func (c *Conn) rename(ctx context.Context, w Workload, names Renames, opts metav1.PatchOptions) error {
	what := "change the references of " + w.String()
	r, known := referrers[w.Kind]
	if !known || r.rolls {
		return fault.New(fault.Invalid, "%s: that is not done without a restart", what)
	}
	written, err := c.change(ctx, r.resource, w, what, opts, func(u *unstructured.Unstructured) ([]byte, error) {
		if err := w.is(u, what); err != nil {
			return nil, err
		}
		patch := r.patch(u, names)
		if patch == nil {
			return nil, nil
		}
		patch["metadata"] = object{"uid": string(u.GetUID()), "resourceVersion": u.GetResourceVersion()}
		return json.Marshal(patch)
	})
	if err == nil && written != nil && r.patch(written, names) != nil {
		err = fault.New(fault.Conflict, "%s: the cluster took them and did not keep them", what).WithCode("rename-undone").
			WithCure("look for an admission webhook that changes the names of Secrets back")
	}
	return err
}

// change reads w, has decide make a merge patch that names the uid and resourceVersion that were read, and sends it; when
// w changed meanwhile, it reads and decides again. It returns what was stored, or nil when decide made no patch.
func (c *Conn) change(ctx context.Context, res schema.GroupVersionResource, w Workload, what string, opts metav1.PatchOptions,
	decide func(*unstructured.Unstructured) ([]byte, error)) (*unstructured.Unstructured, error) {
	objects := c.loose.Resource(res).Namespace(w.Namespace)
	pause := restartPause
	for try := 1; ; try++ {
		u, err := objects.Get(ctx, w.Name, metav1.GetOptions{})
		if err != nil {
			return nil, c.faultOf(ctx, err, what)
		}
		body, err := decide(u)
		if err != nil || body == nil {
			return nil, err
		}
		if u, err = objects.Patch(ctx, w.Name, types.MergePatchType, body, opts); err == nil {
			return u, nil
		}
		err = c.faultOf(ctx, err, what)
		if !errors.Is(err, fault.Stale) {
			return nil, err
		}
		if try == restartTries {
			return nil, fault.New(fault.Stale, "%s: others change it faster than it can be written", what).WithCode("workload-busy").
				WithCure("try again; if that does not help, look at who writes to it").WithUnchanged("nothing was changed in the cluster")
		}
		select {
		case <-ctx.Done():
			return nil, apiFault(ctx.Err(), what)
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
	return s, w.is(u, what)
}

// is fails with fault.NotFound when u is another object than w that has its name.
func (w Workload) is(u *unstructured.Unstructured, what string) error {
	if u.GetUID() == "" || u.GetName() != w.Name {
		return noAnswer(what)
	}
	if w.UID != "" && string(u.GetUID()) != w.UID {
		return fault.New(fault.NotFound, "%s: another %s has its name now", what, w.Kind).WithCode("workload-replaced").
			WithCure("look at who reads the Secret again").WithUnchanged("nothing was changed in the cluster")
	}
	return nil
}

// object is one of JSON.
type object = map[string]any

// mark decides about a restart and returns the patch that does it, in which patch gives references their new names; nil
// when the marker is there and none has an old name.
func (s state) mark(what, marker string, patch object) ([]byte, error) {
	if s.marker == marker && patch == nil {
		return nil, nil
	}
	if o, blocked := s.blocked(); blocked {
		return nil, fault.New(fault.Conflict, "%s: %s", what, o.Says).WithCode(o.Code).WithCure("%s", o.Cure).
			WithUnchanged("nothing was changed in the cluster")
	}
	body := object{
		"metadata": object{"uid": s.uid, "resourceVersion": s.resourceVersion},
		"spec":     object{"template": object{"metadata": object{"annotations": object{RestartedBy: marker}}}},
	}
	if spec, has, err := unstructured.NestedFieldNoCopy(patch, "spec", "template", "spec"); err != nil {
		return nil, noAnswer(what)
	} else if has {
		body["spec"].(object)["template"].(object)["spec"] = spec
	}
	return json.Marshal(body)
}

func (s state) restarted(w Workload, already bool) Restarted {
	w.UID = s.uid
	return Restarted{w, already, s.generation, s.resourceVersion, s.wanted}
}
