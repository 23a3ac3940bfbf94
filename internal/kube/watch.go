package kube

import (
	"context"
	"hash/fnv"
	"net/url"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/keyturn/keyturn/internal/fault"
)

// CodeExpired is the code of a watch or list that asks for a state which the cluster no longer has.
const CodeExpired = "list-expired"

// Change is what a watch showed of one Secret.
type Change struct {
	// Secret is as it is, without Managers; one that is gone as it was when it was deleted, with the resourceVersion of that.
	Secret Secret
	Gone   bool
}

const (
	// maxChanges is how many changes a watch hands over at a time.
	maxChanges = 500
	// watchSeconds is how long the API server keeps one watch open at least; twice as long at most, and not as long for each
	// cluster, so that not all of them begin anew at once.
	watchSeconds = 300
)

// Position returns the resourceVersion that the Secrets of namespace ("" is all) have now: whoever lists them afterwards
// misses nothing by watching from there.
func (c *Conn) Position(ctx context.Context, namespace string) (string, error) {
	l, err := c.meta.Resource(secretsResource).Namespace(namespace).List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return "", c.faultOf(ctx, err, "list secrets")
	}
	if l.ResourceVersion == "" {
		return "", noAnswer("list secrets")
	}
	return l.ResourceVersion, nil
}

var secretsResource = corev1.SchemeGroupVersion.WithResource("secrets")

// WatchSecrets hands every change of the Secrets of namespace ("" is all) after the resourceVersion from to take, in their
// order, with the resourceVersion up to which that is all; there may be no change with it, and there is none the first time, as
// soon as the watch stands. What comes while take works is handed over together, but never two states of one Secret. It
// sends nothing but the watch itself.
//
// It returns nil when the API server ended the watch, which it does every few minutes: the caller watches again from the
// last position. It fails with CodeExpired when the cluster has forgotten the state from, and otherwise as a list does.
func (c *Conn) WatchSecrets(ctx context.Context, namespace, from string, take func(all []Change, position string) error) error {
	return c.watch(ctx, namespace, from, take, func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
		return c.typed.CoreV1().Secrets(namespace).Watch(ctx, opts)
	})
}

// WatchMeta is WatchSecrets without values: of a Secret it hands over what its metadata says, and neither Type nor Data.
func (c *Conn) WatchMeta(ctx context.Context, namespace, from string, take func(all []Change, position string) error) error {
	return c.watch(ctx, namespace, from, take, func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
		return c.meta.Resource(secretsResource).Namespace(namespace).Watch(ctx, opts)
	})
}

func (c *Conn) watch(ctx context.Context, namespace, from string, take func([]Change, string) error,
	begin func(context.Context, metav1.ListOptions) (watch.Interface, error)) error {
	const what = "watch secrets"
	if from == "" || from == "0" { // the API server would begin anywhere
		return fault.New(fault.Invalid, "%s: no resourceVersion to begin at", what)
	}
	w, err := begin(ctx, metav1.ListOptions{ResourceVersion: from, AllowWatchBookmarks: true, TimeoutSeconds: &c.watchSeconds})
	if err != nil {
		return c.watchFault(ctx, err, what)
	}
	defer w.Stop()
	if err := take(nil, from); err != nil { // the API server has answered: from now on nothing is missed
		return err
	}
	events := ahead(ctx, w)
	silent := true
	for batch, until := (gathered{}), (time.Time{}); ; {
		event, open := <-events
		if !open && silent && ctx.Err() == nil {
			return c.reached(ctx, namespace, from)
		}
		if !open {
			return ctx.Err()
		}
		silent = false
		for more := true; more; {
			if event.Type == watch.Error {
				return c.watchFault(ctx, apierrors.FromObject(event.Object), what)
			}
			if batch.full(event) {
				if err := batch.hand(take); err != nil {
					return err
				}
			}
			if !batch.add(event) {
				return noAnswer(what)
			}
			event, more = nextBefore(events, until)
		}
		begun := time.Now()
		if err := batch.hand(take); err != nil {
			return err
		}
		until = time.Now().Add(min(2*time.Since(begun), mostRest))
	}
}

// reached fails with CodeExpired when the cluster has not come to the state from. An API server whose store was put back to an
// earlier state takes a watch from a later one, and then says nothing until it has come there, though much may have changed;
// of a healthy one a watch shows at least how far it is, once a minute.
func (c *Conn) reached(ctx context.Context, namespace, from string) error {
	now, err := c.Position(ctx, namespace)
	if err != nil {
		return err
	}
	is, errIs := strconv.ParseUint(now, 10, 64)
	was, errWas := strconv.ParseUint(from, 10, 64)
	if errIs != nil || errWas != nil || is >= was {
		return nil
	}
	return fault.New(fault.Stale, "watch secrets: the cluster has not come to the state that was seen; its store was put back").WithCode(CodeExpired).
		WithCure("list again from the beginning")
}

// watchFor is how many seconds an API server is asked to keep a watch open.
func watchFor(server *url.URL) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(server.String())) // never fails
	return watchSeconds + int64(h.Sum64()%watchSeconds)
}

// watchFault is faultOf for what ended a watch. client-go reports a connection that broke as an event of its own.
func (c *Conn) watchFault(ctx context.Context, err error, what string) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case apierrors.HasStatusCause(err, "ClientWatchDecoding"):
		return fault.New(fault.Unavailable, "%s: the connection broke off", what).WithCode("cluster-unreachable").WithCure("check the network, then try again")
	}
	return c.faultOf(ctx, err, what)
}

// ahead reads events while the ones before are worked on.
func ahead(ctx context.Context, w watch.Interface) <-chan watch.Event {
	out := make(chan watch.Event, maxChanges)
	go func() {
		defer close(out)
		for e := range w.ResultChan() {
			select {
			case out <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// mostRest bounds how long changes are gathered after the ones before were taken. A change after a quiet time is handed over at
// once; of many, several share what it costs to store some.
const mostRest = 50 * time.Millisecond

// nextBefore returns the next event, and whether there is one: it waits for it until then.
func nextBefore(events <-chan watch.Event, then time.Time) (event watch.Event, more bool) {
	select {
	case event, more = <-events:
		return event, more
	default:
	}
	rest := time.Until(then)
	if rest <= 0 {
		return event, false
	}
	select {
	case event, more = <-events:
		return event, more
	case <-time.After(rest):
		return event, false
	}
}

// gathered are changes that are handed over together.
type gathered struct {
	changes  []Change
	position string
	has      map[SecretRef]bool
}

// full reports whether the changes have to be handed over before e can be added.
func (g *gathered) full(e watch.Event) bool {
	o, ok := e.Object.(metav1.Object)
	return ok && (len(g.changes) >= maxChanges || g.has[SecretRef{o.GetNamespace(), o.GetName()}])
}

// add reports whether e was an event of a Secret.
func (g *gathered) add(e watch.Event) bool {
	var s Secret
	switch o := e.Object.(type) {
	case *corev1.Secret:
		s = withoutManagers(o)
	case *metav1.PartialObjectMetadata:
		delete(o.Annotations, lastApplied)
		s = withoutManagers(&corev1.Secret{ObjectMeta: o.ObjectMeta})
	default:
		return false
	}
	if s.ResourceVersion == "" {
		return false
	}
	g.position = s.ResourceVersion
	if e.Type == watch.Bookmark {
		return true
	}
	if s.UID == "" || s.Name == "" || s.Namespace == "" {
		return false
	}
	if g.has == nil {
		g.has = map[SecretRef]bool{}
	}
	g.has[SecretRef{s.Namespace, s.Name}] = true
	g.changes = append(g.changes, Change{s, e.Type == watch.Deleted})
	return true
}

func (g *gathered) hand(take func([]Change, string) error) error {
	if g.position == "" {
		return nil
	}
	err := take(g.changes, g.position)
	*g = gathered{}
	return err
}
