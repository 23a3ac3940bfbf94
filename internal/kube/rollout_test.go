package kube

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
)

func TestJudge(t *testing.T) {
	deployment := func(wanted int) *state {
		return &state{traits: traits{kind: KindDeployment, wanted: wanted}, uid: "d", marker: "m", generation: 2, observed: 2, settled: true}
	}
	with := func(w *state, change func(*state)) *state { change(w); return w }
	sets := map[types.UID]setFact{"new": {marker: "m", owner: "d", wanted: 2}, "old": {owner: "d"}, "other": {owner: "x", wanted: 3}}
	fresh := podFact{name: "n", marker: "m", owner: "new", bySet: true, ready: true}
	old := podFact{name: "o", owner: "old", bySet: true, ready: true}
	pods := func(p ...podFact) map[types.UID]podFact {
		out := map[types.UID]podFact{}
		for i, f := range p {
			out[types.UID(rune('a'+i))] = f
		}
		return out
	}
	mod := func(p podFact, change func(*podFact)) podFact { change(&p); return p }
	for _, tt := range []struct {
		name string
		s    scene
		want Rollout
	}{
		{"all new and ready", scene{workload: deployment(2), sets: sets, pods: pods(fresh, fresh)}, Rollout{State: RolledDone, Wanted: 2, New: 2, Ready: 2}},
		{"not observed", scene{workload: with(deployment(2), func(s *state) { s.observed = 1 }), sets: sets, pods: pods(fresh, fresh)},
			Rollout{State: Rolling, Wanted: 2, New: 2, Ready: 2}},
		{"the controller is not content", scene{workload: with(deployment(2), func(s *state) { s.settled = false }), sets: sets, pods: pods(fresh, fresh)},
			Rollout{State: Rolling, Wanted: 2, New: 2, Ready: 2}},
		{"one not ready", scene{workload: deployment(2), sets: sets, pods: pods(fresh, mod(fresh, func(p *podFact) { p.ready = false }))},
			Rollout{State: Rolling, Wanted: 2, New: 2, Ready: 1}},
		{"an old one left", scene{workload: deployment(2), sets: sets, pods: pods(fresh, fresh, old)}, Rollout{State: Rolling, Wanted: 2, New: 2, Ready: 2, Old: 1}},
		{"an old one that ends", scene{workload: deployment(2), sets: sets, pods: pods(fresh, fresh, mod(old, func(p *podFact) { p.ending = true }))},
			Rollout{State: Rolling, Wanted: 2, New: 2, Ready: 2, Old: 1, Ending: 1,
				Stuck: []Stuck{{Code: StuckEnding, Says: "pod o is terminating and still there", Pod: "o", Pods: 1}}}},
		{"an old one whose ReplicaSet is gone", scene{workload: deployment(2), sets: sets, pods: pods(fresh, fresh, mod(old, func(p *podFact) { p.owner = "lost" }))},
			Rollout{State: Rolling, Wanted: 2, New: 2, Ready: 2, Old: 1}},
		{"an old one that has ended", scene{workload: deployment(2), sets: sets, pods: pods(fresh, fresh, mod(old, func(p *podFact) { p.ended = true }))},
			Rollout{State: RolledDone, Wanted: 2, New: 2, Ready: 2}},
		{"a new one that ends as well", scene{workload: deployment(2), sets: sets, pods: pods(fresh, fresh, mod(fresh, func(p *podFact) { p.ending, p.ready = true, false }))},
			Rollout{State: RolledDone, Wanted: 2, New: 2, Ready: 2}},
		{"pods of others with the same labels", scene{workload: deployment(2), sets: sets, pods: pods(fresh, fresh, mod(old, func(p *podFact) { p.owner = "other" }),
			podFact{name: "bare"}, podFact{name: "db-0", owner: "s"})}, Rollout{State: RolledDone, Wanted: 2, New: 2, Ready: 2}},
		{"an old ReplicaSet may still make pods", scene{workload: deployment(2), sets: map[types.UID]setFact{"new": sets["new"], "old": {owner: "d", wanted: 1}}, pods: pods(fresh, fresh)},
			Rollout{State: Rolling, Wanted: 2, New: 2, Ready: 2}},
		{"scaled to zero", scene{workload: deployment(0), sets: sets}, Rollout{State: RolledNothing}},
		{"scaled to zero, and one ends", scene{workload: deployment(0), sets: sets, pods: pods(old)}, Rollout{State: Rolling, Old: 1}},
		{"another marker", scene{workload: with(deployment(2), func(s *state) { s.marker = "later" }), sets: sets, pods: pods(fresh, fresh)},
			Rollout{State: RolledOvertaken, Wanted: 2, New: 2, Ready: 2, Marker: "later"}},
		{"the marker taken away", scene{workload: with(deployment(2), func(s *state) { s.marker = "" }), sets: sets, pods: pods(fresh, old)},
			Rollout{State: RolledOvertaken, Wanted: 2, New: 1, Ready: 1, Old: 1}},
		{"gone", scene{sets: sets, pods: pods(fresh, old)}, Rollout{State: RolledGone, Old: 1}},
		{"paused since", scene{workload: with(deployment(2), func(s *state) { s.paused = true }), sets: sets, pods: pods(old, old)},
			Rollout{State: Rolling, Wanted: 2, Old: 2, Stuck: []Stuck{{Code: ObstaclePaused, Says: "it is paused, so a change of its template replaces no pod"}}}},
		{"a StatefulSet's pods are its own", scene{workload: with(deployment(1), func(s *state) { s.kind = KindStatefulSet }), pods: pods(podFact{marker: "m", owner: "d", ready: true})},
			Rollout{State: RolledDone, Wanted: 1, New: 1, Ready: 1}},
		{"a StatefulSet waits for an old pod", scene{workload: with(deployment(1), func(s *state) { s.kind = KindStatefulSet }),
			pods: pods(podFact{name: "db-0", owner: "d", stuck: &Stuck{Code: "CrashLoopBackOff", Says: "container app of pod db-0 ends again and again after its start", Pod: "db-0"}})},
			Rollout{State: Rolling, Wanted: 1, Old: 1, Stuck: []Stuck{{Code: "CrashLoopBackOff", Pod: "db-0", Pods: 1,
				Says: "container app of pod db-0 ends again and again after its start, and the StatefulSet goes on only when it is ready or deleted"}}}},
		{"a Deployment does not", scene{workload: deployment(1), sets: sets, pods: pods(mod(old, func(p *podFact) { p.ready, p.stuck = false, &Stuck{Code: "CrashLoopBackOff", Says: "x"} }))},
			Rollout{State: Rolling, Wanted: 1, Old: 1}},
		{"a StatefulSet without its pods", scene{workload: with(deployment(3), func(s *state) { s.kind = KindStatefulSet }), pods: pods(podFact{marker: "m", owner: "d", ready: true})},
			Rollout{State: Rolling, Wanted: 3, New: 1, Ready: 1, Stuck: []Stuck{{Code: StuckNoPods, Says: "2 of 3 pods are not made yet; if that lasts, the events of the workload say why"}}}},
	} {
		if d := cmp.Diff(tt.want, tt.s.judge("m")); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

// Whatever a scene holds: done is never said while a living pod of the workload lacks the marker or is not ready.
func TestDoneIsNeverSaidTooEarly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &state{traits: traits{kind: rapid.SampledFrom([]ReaderKind{KindDeployment, KindStatefulSet}).Draw(t, "kind"), wanted: rapid.IntRange(0, 3).Draw(t, "wanted")},
			uid: "d", marker: rapid.SampledFrom([]string{"m", "", "x"}).Draw(t, "marker"), generation: 2, observed: rapid.Int64Range(1, 2).Draw(t, "observed"), settled: rapid.Bool().Draw(t, "settled")}
		s := scene{workload: w, sets: map[types.UID]setFact{"new": {marker: "m", owner: "d", wanted: w.wanted}, "old": {owner: "d", wanted: rapid.IntRange(0, 1).Draw(t, "old set")}}, pods: map[types.UID]podFact{}}
		for i := range rapid.IntRange(0, 5).Draw(t, "pods") {
			p := podFact{marker: rapid.SampledFrom([]string{"m", "m", ""}).Draw(t, "pod's marker"), ready: rapid.Bool().Draw(t, "ready"), ended: rapid.Bool().Draw(t, "ended"), ending: rapid.Bool().Draw(t, "ending")}
			p.owner, p.bySet = "d", false
			if w.hasSets() {
				p.owner, p.bySet = rapid.SampledFrom([]types.UID{"new", "old", "lost"}).Draw(t, "owner"), true
			}
			s.pods[types.UID(rune('a'+i))] = p
		}
		got := s.judge("m")
		if got.State != RolledDone && got.State != RolledNothing {
			return
		}
		good := 0
		for _, p := range s.pods {
			switch {
			case p.ended:
			case p.marker != "m":
				t.Errorf("%s with an older pod %+v", got.State, p)
			case p.ending:
			case !p.ready:
				t.Errorf("%s with a pod that is not ready", got.State)
			default:
				good++
			}
		}
		if good != w.wanted || w.marker != "m" || w.observed < w.generation {
			t.Errorf("%s with %d good pods of %+v", got.State, good, w)
		}
	})
}

func TestStuckSaysNothingOfTheCluster(t *testing.T) {
	const quoted = "error: PASSWORD=hunter2"
	wait := func(reason string) *corev1.Pod {
		p := &corev1.Pod{}
		p.Name = "api-1"
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: quoted}}}}
		return p
	}
	for reason := range waiting {
		s := podStuck(wait(reason))
		if s == nil || s.Code != reason || !strings.Contains(s.Says, "container app of pod api-1") || strings.Contains(s.Says, "hunter2") {
			t.Errorf("%s: %+v", reason, s)
		}
	}
	if s := podStuck(wait("ContainerCreating")); s != nil {
		t.Errorf("a pod on its way is stuck: %+v", s)
	}
	if s := podStuck(wait(quoted)); s != nil {
		t.Errorf("an unknown reason is passed on: %+v", s)
	}
	for _, tt := range []struct {
		c    appsv1.DeploymentCondition
		want string
	}{
		{appsv1.DeploymentCondition{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "pods is forbidden: exceeded quota: q"}, StuckQuota},
		{appsv1.DeploymentCondition{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: quoted}, StuckNoPods},
		{appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: StuckDeadline, Message: quoted}, StuckDeadline},
	} {
		d := &appsv1.Deployment{}
		d.Status.Conditions = []appsv1.DeploymentCondition{tt.c}
		if s := deploymentStuck(d); s == nil || s.Code != tt.want || strings.Contains(s.Says, "hunter2") {
			t.Errorf("%s: %+v", tt.want, s)
		}
	}
	if s := deploymentStuck(&appsv1.Deployment{}); s != nil {
		t.Errorf("a quiet Deployment is stuck: %+v", s)
	}
}

func TestReasonsAreFoldedAndFew(t *testing.T) {
	pods := []Stuck{{Code: StuckUnready, Pod: "b"}, {Code: StuckEnding, Pod: "c"}, {Code: "ImagePullBackOff", Pod: "z"}, {Code: "ImagePullBackOff", Pod: "a"},
		{Code: "E1", Pod: "x"}, {Code: "E2", Pod: "x"}, {Code: "E3", Pod: "x"}}
	got := reasons(&state{traits: traits{kind: KindDeployment}, stuck: &Stuck{Code: StuckDeadline}}, pods, Rollout{})
	var codes []string
	for _, s := range got {
		codes = append(codes, s.Code+" "+s.Pod)
	}
	if d := cmp.Diff([]string{StuckDeadline + " ", "ImagePullBackOff a", "E1 x", "E2 x", "E3 x"}, codes); d != "" || got[1].Pods != 2 {
		t.Errorf("%+v\n%s", got, d)
	}
}
