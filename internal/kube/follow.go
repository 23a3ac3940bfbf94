package kube

import (
	"context"
	"crypto/rand"
	"errors"
	"math/big"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/keyturn/keyturn/internal/fault"
)

const (
	watchLife     = 5 * time.Minute // the API server ends a watch then, and it goes on where it was
	followPause   = 100 * time.Millisecond
	followPauseTo = 3 * time.Second
)

// stream is one selection of a resource that is followed, kept as facts of type F.
type stream[F any] struct {
	what  string
	opts  metav1.ListOptions
	list  pageFunc
	watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
	fact  func(metav1.Object) (F, error)
	// all takes over everything that there is, one what is new of one object: a nil fact is that it is gone.
	all func(*scene, map[types.UID]F)
	one func(*scene, types.UID, *F)
}

// follower is a stream of any facts.
type follower interface {
	// look lists once. What it returns puts the outcome into a scene.
	look(ctx context.Context, c *Conn) (into func(*scene), resourceVersion string, err error)
	// from watches from resourceVersion on until the watch ends or fails, and returns where it came to.
	from(ctx context.Context, c *Conn, resourceVersion string, out chan<- func(*scene)) (string, error)
}

// follow lists, then watches, for as long as ctx lives, and sends what changes a scene. A watch that ends goes on where it
// was; after any failure it lists again, with growing pauses. It returns only an error that trying again does not cure.
func (c *Conn) follow(ctx context.Context, f follower, out chan<- func(*scene)) error {
	wait := newPause()
	for {
		into, rv, err := f.look(ctx, c)
		if err == nil {
			wait.refused = 0
			if !send(ctx, out, into) {
				return nil
			}
		}
		for err == nil {
			began := time.Now()
			rv, err = f.from(ctx, c, rv, out)
			if time.Since(began) > followPauseTo {
				wait = newPause()
			} else if err == nil {
				wait.sleep(ctx) // a server that ends every watch at once is not asked at full speed
			}
			if ctx.Err() != nil {
				return nil
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		if wait.givesUp(err) {
			return err
		}
		if !errors.Is(err, fault.Stale) { // a history that is too old is no trouble: it is listed again
			failed := err
			send(ctx, out, func(s *scene) { s.trouble = failed })
		}
		wait.sleep(ctx)
	}
}

func send(ctx context.Context, out chan<- func(*scene), change func(*scene)) bool {
	select {
	case out <- change:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s stream[F]) look(ctx context.Context, c *Conn) (func(*scene), string, error) {
	facts := map[types.UID]F{}
	rv, err := c.listAll(ctx, s.what, s.opts, func(ctx context.Context, opts metav1.ListOptions) (metav1.ListInterface, error) {
		l, err := s.list(ctx, opts)
		if err != nil {
			return nil, err
		}
		return l, meta.EachListItem(l.(runtime.Object), func(o runtime.Object) error {
			m, err := meta.Accessor(o)
			if err != nil {
				return err
			}
			fact, err := s.fact(m)
			facts[m.GetUID()] = fact
			return err
		})
	})
	return func(sc *scene) { sc.trouble = nil; s.all(sc, facts) }, rv, err
}

func (s stream[F]) from(ctx context.Context, c *Conn, rv string, out chan<- func(*scene)) (string, error) {
	opts := s.opts
	seconds := int64(watchLife / time.Second)
	opts.ResourceVersion, opts.AllowWatchBookmarks, opts.TimeoutSeconds = rv, true, &seconds
	w, err := s.watch(ctx, opts)
	if err != nil {
		return "", c.faultOf(ctx, err, s.what)
	}
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return "", nil
		case e, open := <-w.ResultChan():
			if !open {
				return rv, nil
			}
			if e.Type == watch.Error {
				return "", c.faultOf(ctx, apierrors.FromObject(e.Object), s.what)
			}
			m, err := meta.Accessor(e.Object)
			if err != nil || m.GetResourceVersion() == "" {
				return "", noAnswer(s.what)
			}
			rv = m.GetResourceVersion()
			if e.Type == watch.Bookmark {
				continue
			}
			change, err := s.change(e.Type, m)
			if err != nil {
				return "", err
			}
			if !send(ctx, out, change) {
				return "", nil
			}
		}
	}
}

func (s stream[F]) change(kind watch.EventType, m metav1.Object) (func(*scene), error) {
	uid := m.GetUID()
	if kind == watch.Deleted {
		return func(sc *scene) { s.one(sc, uid, nil) }, nil
	}
	fact, err := s.fact(m)
	return func(sc *scene) { s.one(sc, uid, &fact) }, err
}

// untaken lists with list and leaves what came to the stream.
func untaken[L metav1.ListInterface](list func(context.Context, metav1.ListOptions) (L, error)) pageFunc {
	return paged(list, func(L) {})
}

// pause grows from one try to the next.
type pause struct {
	next    time.Duration
	refused int // how often the token was refused in a row
}

// maxRefused is how often a refused token is tried again: an API server that has just started does not know every account
// yet.
const maxRefused = 5

func newPause() *pause { return &pause{next: followPause} }

// givesUp reports whether trying again does not cure err.
func (p *pause) givesUp(err error) bool {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return false
	}
	if f.Code == codeToken {
		p.refused++
		return p.refused > maxRefused
	}
	switch f.Kind {
	case fault.Denied, fault.NotFound, fault.Invalid, fault.Conflict:
		return true
	}
	return false
}

// sleep waits between half of the pause and all of it, so that many who lost the same API server do not come back at once.
func (p *pause) sleep(ctx context.Context) {
	d := p.next
	p.next = min(2*p.next, followPauseTo)
	if n, err := rand.Int(rand.Reader, big.NewInt(int64(d/2))); err == nil {
		d -= time.Duration(n.Int64())
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// gone reports whether the API server said that there is no such object.
func gone(err error) bool {
	status := apierrors.APIStatus(nil)
	return errors.As(err, &status) && status.Status().Code == http.StatusNotFound
}
