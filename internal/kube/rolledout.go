package kube

import (
	"context"
	"errors"
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"

	"golang.org/x/sync/errgroup"

	"github.com/keyturn/keyturn/internal/fault"
)

// RolledOut watches a workload that Restart marked until the restart is at its end: the controller has seen the mark, every
// pod that belongs to the workload carries it and is ready, and none without it is left, a terminating one included. What
// the watches say is proved by one more list before it counts. Pods whose containers have all ended hold nothing and do
// not count.
//
// seen, which may be nil, is called in this goroutine with every change of the Rollout, the last included. Watches that end
// or fail and API servers that restart are survived for as long as ctx lives. When its deadline passes, the Rollout as last
// seen is returned with fault.Conflict and code rollout-unfinished, or with fault.Unavailable while the cluster could not
// be reached. Done, scaled to zero, gone and overtaken are answers, not errors.
func (c *Conn) RolledOut(ctx context.Context, w Workload, marker string, seen func(Rollout)) (Rollout, error) {
	what := "watch the restart of " + w.String()
	r := rolling{c: c, w: w, marker: marker, what: what, seen: seen}
	err := r.begin(ctx)
	if err == nil && r.last.State == "" {
		err = r.run(ctx)
	}
	if err == nil || !errors.Is(ctx.Err(), context.DeadlineExceeded) || fault.KindOf(err) != "" && !errors.Is(err, fault.Unavailable) {
		return r.last, err
	}
	return r.last, r.late(err)
}

// rolling is one call of RolledOut.
type rolling struct {
	c      *Conn
	w      Workload
	marker string
	what   string
	seen   func(Rollout)

	streams []follower
	scene   scene
	last    Rollout
}

// begin reads the workload, for its uid and for what its pods are selected by.
func (r *rolling) begin(ctx context.Context) error {
	res, err := r.w.resource()
	if err != nil {
		return err
	}
	wait := newPause()
	for {
		u, err := r.c.loose.Resource(res).Namespace(r.w.Namespace).Get(ctx, r.w.Name, metav1.GetOptions{})
		if gone(err) {
			r.tell(Rollout{State: RolledGone})
			return nil
		}
		if err == nil {
			return r.plan(u)
		}
		if err = r.c.faultOf(ctx, err, r.what); wait.givesUp(err) || ctx.Err() != nil {
			return err
		}
		wait.sleep(ctx)
	}
}

// plan prepares what is followed of the workload u.
func (r *rolling) plan(u *unstructured.Unstructured) error {
	s, err := r.w.stateOf(u, r.what)
	if errors.Is(err, fault.NotFound) {
		r.tell(Rollout{State: RolledGone})
		return nil
	}
	if err != nil {
		return err
	}
	r.w.UID = s.uid
	selector, err := metav1.LabelSelectorAsSelector(s.selector)
	if err != nil || s.selector == nil {
		return fault.New(fault.Conflict, "%s: it does not say by which labels its pods are found", r.what).WithCode(ObstacleElsewhere).
			WithCure("watch what it takes its template from")
	}
	labels := metav1.ListOptions{LabelSelector: selector.String()}
	r.streams = []follower{r.workloads(), r.pods(labels)}
	if s.hasSets() {
		r.streams = append(r.streams, r.sets(labels))
	}
	return nil
}

// run follows until the restart is at its end.
func (r *rolling) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	g, within := errgroup.WithContext(ctx)
	changes := make(chan func(*scene), 64)
	for _, f := range r.streams {
		g.Go(func() error { return r.c.follow(within, f, changes) })
	}
	err := r.take(within, changes)
	cancel()
	if failed := g.Wait(); failed != nil {
		return failed
	}
	return err
}

// take puts changes into the scene and judges it, until the end is proved.
func (r *rolling) take(ctx context.Context, changes <-chan func(*scene)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case change := <-changes:
			change(&r.scene)
		}
		for more := true; more; { // what came at the same time is judged once
			select {
			case change := <-changes:
				change(&r.scene)
			default:
				more = false
			}
		}
		if !r.scene.complete(len(r.streams)) {
			continue
		}
		now := r.scene.judge(r.marker)
		if now.State == Rolling {
			r.tell(now)
			continue
		}
		proved, err := r.prove(ctx)
		if err != nil {
			return err
		}
		r.tell(proved)
		if proved.State != Rolling {
			return nil
		}
	}
}

// prove lists everything anew: of several watches one may be behind the others.
func (r *rolling) prove(ctx context.Context) (Rollout, error) {
	wait := newPause()
	for {
		fresh := scene{}
		var err error
		for _, f := range r.streams {
			var into func(*scene)
			if into, _, err = f.look(ctx, r.c); err != nil {
				break
			}
			into(&fresh)
		}
		if err == nil {
			return fresh.judge(r.marker), nil
		}
		if wait.givesUp(err) || ctx.Err() != nil {
			return Rollout{}, err
		}
		wait.sleep(ctx)
	}
}

// tell passes a Rollout on if it is new.
func (r *rolling) tell(now Rollout) {
	if reflect.DeepEqual(r.last, now) {
		return
	}
	r.last = now
	if r.seen != nil {
		r.seen(now)
	}
}

// late is for a deadline that passed.
func (r *rolling) late(err error) error {
	if r.scene.trouble != nil {
		return r.scene.trouble
	}
	if r.last.State == "" {
		return apiFault(err, r.what)
	}
	f := fault.New(fault.Conflict, "%s: in time %d of %d pods are ready with the mark and %d older ones are left",
		r.what, r.last.Ready, r.last.Wanted, r.last.Old).
		WithCode("rollout-unfinished").WithCure("look at the workload, then watch on")
	if len(r.last.Stuck) > 0 {
		f.Msg += "; " + r.last.Stuck[0].Says
	}
	return f
}

// workloads follows the one workload. Another one of its name is none.
func (r *rolling) workloads() follower {
	res, _ := r.w.resource()
	objects := r.c.loose.Resource(res).Namespace(r.w.Namespace)
	put := func(s *scene, uid types.UID, w *state) {
		if string(uid) == r.w.UID {
			s.workload = w
		}
	}
	return stream[state]{
		what: r.what, opts: metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", r.w.Name).String()},
		list: func(ctx context.Context, o metav1.ListOptions) (metav1.ListInterface, error) {
			return objects.List(ctx, o)
		},
		watch: objects.Watch,
		fact: func(m metav1.Object) (state, error) {
			u, ok := m.(*unstructured.Unstructured)
			if !ok {
				return state{}, noAnswer(r.what)
			}
			s, err := workloadState(u)
			if err != nil {
				return state{}, noAnswer(r.what)
			}
			return s, nil
		},
		all: func(s *scene, facts map[types.UID]state) {
			s.listed, s.workload = s.listed|listedWorkload, nil
			for uid, f := range facts {
				put(s, uid, &f)
			}
		},
		one: put,
	}
}

func (r *rolling) pods(labels metav1.ListOptions) follower {
	pods := r.c.typed.CoreV1().Pods(r.w.Namespace)
	return stream[podFact]{
		what: r.what, opts: labels, watch: pods.Watch,
		list: func(ctx context.Context, o metav1.ListOptions) (metav1.ListInterface, error) {
			return pods.List(ctx, o)
		},
		fact: func(m metav1.Object) (podFact, error) {
			p, ok := m.(*corev1.Pod)
			if !ok {
				return podFact{}, noAnswer(r.what)
			}
			return podFactOf(p), nil
		},
		all: func(s *scene, facts map[types.UID]podFact) { s.listed, s.pods = s.listed|listedPods, facts },
		one: func(s *scene, uid types.UID, f *podFact) {
			if f == nil {
				delete(s.pods, uid)
				return
			}
			s.pods[uid] = *f
		},
	}
}

func (r *rolling) sets(labels metav1.ListOptions) follower {
	sets := r.c.typed.AppsV1().ReplicaSets(r.w.Namespace)
	return stream[setFact]{
		what: r.what, opts: labels, watch: sets.Watch,
		list: func(ctx context.Context, o metav1.ListOptions) (metav1.ListInterface, error) {
			return sets.List(ctx, o)
		},
		fact: func(m metav1.Object) (setFact, error) {
			s, ok := m.(*appsv1.ReplicaSet)
			if !ok {
				return setFact{}, noAnswer(r.what)
			}
			return setFactOf(s), nil
		},
		all: func(s *scene, facts map[types.UID]setFact) { s.listed, s.sets = s.listed|listedSets, facts },
		one: func(s *scene, uid types.UID, f *setFact) {
			if f == nil {
				delete(s.sets, uid)
				return
			}
			s.sets[uid] = *f
		},
	}
}
