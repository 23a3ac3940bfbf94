package kube

import (
	"fmt"
	"strings"
)

// The codes of obstacles. Restart refuses with the same code where an obstacle blocks it.
const (
	ObstaclePaused      = "workload-paused"
	ObstacleOnDelete    = "workload-on-delete"
	ObstaclePartition   = "workload-partition"
	ObstacleElsewhere   = "workload-template-elsewhere"
	ObstacleNoOwner     = "workload-no-controller"
	ObstacleForeign     = "workload-foreign-controller"
	ObstacleNotRolled   = "workload-not-rolled"
	ObstacleBudget      = "workload-disruption-budget"
	ObstacleSingle      = "workload-single-replica"
	ObstacleRecreate    = "workload-recreate"
	ObstacleByArgoCD    = "workload-by-argo-cd"
	ObstacleByFlux      = "workload-by-flux"
	ObstacleByHelm      = "workload-by-helm"
	ObstacleStartsLater = "workload-starts-later"
)

// Obstacle is a fact that stands in the way of a restart.
type Obstacle struct {
	// Code is stable; Says is one sentence of cause and effect, without a final full stop; Cure may be empty.
	Code, Says, Cure string
	// Blocks says that Keyturn does not restart it; any other is for whoever decides to weigh.
	Blocks bool
}

// traits are what of a workload decides whether and how it can be restarted.
type traits struct {
	kind        ReaderKind
	paused      bool
	onDelete    bool
	recreate    bool
	partition   int
	elsewhere   string // the object that a Rollout takes its template from
	wanted      int
	labels      map[string]string // of the object itself, as annotations are
	annotations map[string]string
	controller  string // the kind and name of what controls it, if anything
}

// blocked returns why a restart of it is not begun.
func (t traits) blocked() (Obstacle, bool) {
	switch {
	case t.elsewhere != "":
		return Obstacle{ObstacleElsewhere, "its pod template is that of " + t.elsewhere + ", so a mark on it would restart nothing",
			"restart " + t.elsewhere, true}, true
	case t.paused:
		return Obstacle{ObstaclePaused, "it is paused, so a change of its template replaces no pod",
			"resume it, or replace its pods by hand", true}, true
	case t.onDelete:
		return Obstacle{ObstacleOnDelete, "its update strategy is OnDelete, so pods are replaced only when somebody deletes them",
			"delete its pods one after the other, or choose RollingUpdate", true}, true
	case t.partition > 0:
		says := fmt.Sprintf("its update strategy has a partition, so pods below number %d keep the old template", t.partition)
		return Obstacle{ObstaclePartition, says, "set the partition to 0", true}, true
	}
	return Obstacle{}, false
}

// obstacles returns everything that stands in the way, what blocks first. budgets name the PodDisruptionBudgets over its
// pods that allow no disruption now.
func (t traits) obstacles(budgets []string) []Obstacle {
	var out []Obstacle
	if o, ok := t.standsAlone(); ok {
		out = append(out, o)
	}
	if o, ok := t.blocked(); ok {
		out = append(out, o)
	}
	for _, name := range budgets {
		out = append(out, Obstacle{Code: ObstacleBudget,
			Says: "PodDisruptionBudget " + name + " allows no disruption now, and a rolling restart does not ask it",
			Cure: "wait until more of its pods are ready"})
	}
	if t.rolls() && t.wanted == 1 && t.kind != KindDaemonSet {
		says := "it has one replica, so for a moment two may run, or none"
		if t.kind == KindStatefulSet || t.recreate {
			says = "it has one replica, which ends before its successor starts"
		}
		out = append(out, Obstacle{Code: ObstacleSingle, Says: says, Cure: "run two replicas, or choose a window"})
	}
	if t.recreate && t.wanted > 1 {
		out = append(out, Obstacle{Code: ObstacleRecreate, Says: "its strategy is Recreate, so all of its pods end before a new one starts",
			Cure: "choose RollingUpdate, or a window"})
	}
	if o, ok := t.managed(); ok {
		out = append(out, o)
	}
	return out
}

func (t traits) rolls() bool {
	return t.kind == KindDeployment || t.kind == KindStatefulSet || t.kind == KindDaemonSet || t.kind == KindRollout
}

// standsAlone is for what no controller replaces when a template changes.
func (t traits) standsAlone() (Obstacle, bool) {
	switch {
	case t.rolls() && t.controller != "":
		return Obstacle{ObstacleForeign, "it belongs to " + t.controller + ", which may take the mark of a restart away",
			"restart it by way of " + t.controller, false}, true
	case t.controller != "":
		return Obstacle{ObstacleForeign, "it belongs to " + t.controller + ", which Keyturn does not know how to restart",
			"restart it by way of " + t.controller, true}, true
	case t.kind == KindPod:
		return Obstacle{ObstacleNoOwner, "no controller would make it again", "delete it and create it again by hand", true}, true
	case t.kind == KindReplicaSet:
		return Obstacle{ObstacleNotRolled, "a ReplicaSet without a Deployment replaces no pod when its template changes",
			"delete its pods one after the other, or put a Deployment in front of it", true}, true
	case t.kind == KindJob:
		return Obstacle{ObstacleNotRolled, "a Job's pods are not replaced while it runs", "wait for its end, or start it anew", true}, true
	case t.kind == KindCronJob:
		return Obstacle{ObstacleStartsLater, "its next run starts with the new value, and one under way keeps the old one",
			"wait for the end of a run under way", true}, true
	}
	return Obstacle{}, false
}

// kept names what keeps the object as it is: what controls it, or the tool that keeps it equal to a source.
func (t traits) kept() string {
	if t.controller != "" {
		return t.controller
	}
	tool, name := managedBy(t.labels, t.annotations)
	if tool == toolHelm {
		return strings.TrimSpace("Helm release " + name)
	}
	return strings.TrimSpace(string(tool) + " " + name)
}

// managed is for workloads that a deployment tool keeps equal to a source.
func (t traits) managed() (Obstacle, bool) {
	if !t.rolls() {
		return Obstacle{}, false
	}
	const pointer = "/spec/template/metadata/annotations/keyturn.dev~1restarted-by"
	const taken = "may take the mark of a restart away, which is one more restart"
	switch tool, name := managedBy(t.labels, t.annotations); tool {
	case toolArgoCD:
		return Obstacle{Code: ObstacleByArgoCD,
			Says: "Argo CD manages it, and " + taken + ", as when it syncs with Replace=true",
			Cure: "add ignoreDifferences for this " + string(t.kind) + " with jsonPointers: [" + pointer +
				"] and RespectIgnoreDifferences=true"}, true
	case toolFluxKustomize:
		return Obstacle{Code: ObstacleByFlux,
			Says: "Flux Kustomization " + name + " manages it, and " + taken,
			Cure: "annotate it in its source with kustomize.toolkit.fluxcd.io/ssa: Merge"}, true
	case toolFluxHelm:
		return Obstacle{Code: ObstacleByFlux,
			Says: "Flux HelmRelease " + name + " manages it, and " + taken + ", if it corrects drift",
			Cure: "add driftDetection.ignore with paths: [" + pointer + "] to the HelmRelease"}, true
	case toolHelm:
		return Obstacle{Code: ObstacleByHelm,
			Says: "Helm release " + name + " manages it, which leaves the mark of a restart alone unless an upgrade is run with --force"}, true
	}
	return Obstacle{}, false
}
