package kube

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// RolloutState is how far a restart came.
type RolloutState string

// The states of a restart. All but rolling are final.
const (
	Rolling         RolloutState = "rolling"
	RolledDone      RolloutState = "done"           // every pod carries the marker and is ready, and no older one is left
	RolledNothing   RolloutState = "scaled to zero" // it is to have no pod and has none
	RolledGone      RolloutState = "gone"           // it was deleted, or another has its name
	RolledOvertaken RolloutState = "overtaken"      // its template carries another marker, or none any more
)

// Rollout is a restart under way or at its end.
type Rollout struct {
	State RolloutState
	// Wanted is how many pods there should be, New how many carry the marker, Ready how many of those are ready.
	Wanted, New, Ready int
	// Old is how many pods without the marker may still hold an old value, Ending how many of those are terminating.
	Old, Ending int
	// Stuck are reasons why it does not get on, the gravest first, maxStuck at most. They may pass by themselves.
	Stuck []Stuck
	// Marker is the one that overtook, if any.
	Marker string
}

// maxStuck bounds the reasons of one Rollout.
const maxStuck = 5

// Stuck is one reason why a rollout does not get on.
type Stuck struct {
	// Code is stable: the container's or condition's own reason, such as ImagePullBackOff or Unschedulable, an obstacle's, or
	// one of the codes below.
	Code string
	// Says is one sentence without a final full stop; nothing in it is free text of the cluster.
	Says string
	// Pod is the first that has it, "" when it concerns the whole; Pods is how many have it.
	Pod  string
	Pods int
}

// Codes of Stuck that are Keyturn's own.
const (
	StuckQuota    = "QuotaExceeded"
	StuckNoPods   = "PodsNotCreated"
	StuckDeadline = "ProgressDeadlineExceeded"
	StuckPaused   = "Paused"
	StuckDegraded = "Degraded"
	StuckUnready  = "NotReady"
	StuckEnding   = "Terminating"
)

// podFact is what is kept of a pod.
type podFact struct {
	name, marker string
	owner        types.UID
	bySet        bool // its controller is a ReplicaSet
	ready, ended bool
	ending       bool
	stuck        *Stuck
}

func podFactOf(p *corev1.Pod) podFact {
	f := podFact{name: p.Name, marker: p.Annotations[RestartedBy],
		ready: podReady(p), ended: ended(p), ending: p.DeletionTimestamp != nil}
	if owner := metav1.GetControllerOfNoCopy(p); owner != nil {
		f.owner, f.bySet = owner.UID, owner.Kind == string(KindReplicaSet)
	}
	if !f.ready && !f.ended && !f.ending {
		f.stuck = podStuck(p)
	}
	return f
}

// setFact is what is kept of a ReplicaSet.
type setFact struct {
	marker string
	owner  types.UID
	wanted int
}

func setFactOf(s *appsv1.ReplicaSet) setFact {
	f := setFact{marker: s.Spec.Template.Annotations[RestartedBy], wanted: replicas(s.Spec.Replicas)}
	if owner := metav1.GetControllerOfNoCopy(s); owner != nil {
		f.owner = owner.UID
	}
	return f
}

// scene is everything that is known of a workload while it rolls.
type scene struct {
	listed   listed
	trouble  error  // why the cluster cannot be followed at the moment
	workload *state // nil: it is gone
	sets     map[types.UID]setFact
	pods     map[types.UID]podFact
}

// listed are the parts of a scene that were listed at least once.
type listed uint8

const (
	listedWorkload listed = 1 << iota
	listedPods
	listedSets
)

// complete reports whether as many parts were listed as there are streams.
func (s scene) complete(streams int) bool { return bits.OnesCount8(uint8(s.listed)) == streams }

// judge decides how far the restart with marker came.
func (s scene) judge(marker string) Rollout {
	var r Rollout
	if s.workload == nil {
		for _, p := range s.pods {
			if !p.ended && p.marker != marker {
				r.Old++
			}
		}
		r.State = RolledGone
		return r
	}
	w := s.workload
	r.Wanted = w.wanted
	var pods []Stuck
	for _, p := range s.pods {
		if !s.owns(p) || p.ended {
			continue
		}
		switch {
		case p.marker != marker:
			r.Old++
			if p.ending {
				r.Ending++
				pods = append(pods, Stuck{Code: StuckEnding, Pod: p.name})
			} else if p.stuck != nil && w.kind == KindStatefulSet { // its controller replaces no other pod before this one is ready
				waits := *p.stuck
				waits.Says += ", and the StatefulSet goes on only when it is ready or deleted"
				pods = append(pods, waits)
			}
		case p.ending:
		default:
			r.New++
			if p.ready {
				r.Ready++
			} else if p.stuck != nil {
				pods = append(pods, *p.stuck)
			}
		}
	}
	r.Marker = w.marker
	r.State = s.verdict(marker, r)
	if r.State != RolledOvertaken {
		r.Marker = ""
	}
	if r.State == Rolling {
		r.Stuck = reasons(w, pods, r)
	}
	return r
}

func (s scene) verdict(marker string, r Rollout) RolloutState {
	w := s.workload
	switch {
	case w.marker != marker:
		return RolledOvertaken
	case w.observed < w.generation || r.Old > 0 || s.oldSetWantsPods(marker):
		return Rolling
	case w.wanted == 0 && r.New == 0:
		return RolledNothing
	case w.settled && r.New == w.wanted && r.Ready == w.wanted:
		return RolledDone
	}
	return Rolling
}

// owns reports whether the workload controls the pod, itself or by a ReplicaSet. A ReplicaSet that is gone while its pods
// end is taken for one of the workload's: pods were selected by its labels, and so were all ReplicaSets that are there.
func (s scene) owns(p podFact) bool {
	w := s.workload
	if !p.bySet {
		return p.owner == types.UID(w.uid)
	}
	set, known := s.sets[p.owner]
	return w.hasSets() && (!known || set.owner == types.UID(w.uid))
}

// oldSetWantsPods reports whether a ReplicaSet of an older template may still make pods.
func (s scene) oldSetWantsPods(marker string) bool {
	for _, set := range s.sets {
		if set.owner == types.UID(s.workload.uid) && set.marker != marker && set.wanted > 0 {
			return true
		}
	}
	return false
}

// reasons puts what the controller says first, and folds equal reasons of pods into one.
func reasons(w *state, pods []Stuck, r Rollout) []Stuck {
	var out []Stuck
	if o, blocked := w.blocked(); blocked {
		out = append(out, Stuck{Code: o.Code, Says: o.Says})
	}
	if w.stuck != nil {
		out = append(out, *w.stuck)
	}
	slices.SortFunc(pods, func(a, b Stuck) int { return strings.Compare(a.Pod, b.Pod) })
	folded := map[string]int{}
	var each []Stuck
	for _, p := range pods {
		at, seen := folded[p.Code]
		if !seen {
			at = len(each)
			folded[p.Code] = at
			each = append(each, p)
		}
		each[at].Pods++
	}
	slices.SortStableFunc(each, func(a, b Stuck) int { return weight(a.Code) - weight(b.Code) })
	for _, p := range each {
		if p.Code == StuckEnding {
			p.Says = fmt.Sprintf("pod %s is terminating and still there", p.Pod)
		}
		out = append(out, p)
	}
	if missing := w.wanted - r.New - r.Old; missing > 0 && !w.hasSets() { // these controllers tell it by events alone
		says := fmt.Sprintf("%d of %d pods are not made yet; if that lasts, the events of the workload say why", missing, w.wanted)
		out = append(out, Stuck{Code: StuckNoPods, Says: says})
	}
	return out[:min(len(out), maxStuck)]
}

// weight sorts what needs somebody before what passes by itself.
func weight(code string) int {
	switch code {
	case StuckEnding:
		return 2
	case StuckUnready:
		return 1
	}
	return 0
}
