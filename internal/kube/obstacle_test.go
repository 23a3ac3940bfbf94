package kube

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestObstacles(t *testing.T) {
	argo := map[string]string{"argocd.argoproj.io/tracking-id": "x"}
	for _, tt := range []struct {
		name    string
		t       traits
		budgets []string
		want    []string // codes; those that block with an exclamation mark
	}{
		{"three replicas", traits{kind: KindDeployment, wanted: 3}, nil, nil},
		{"scaled to zero", traits{kind: KindDeployment}, nil, nil},
		{"one replica", traits{kind: KindDeployment, wanted: 1}, nil, []string{ObstacleSingle}},
		{"one node", traits{kind: KindDaemonSet, wanted: 1}, nil, nil},
		{"all at once", traits{kind: KindDeployment, wanted: 2, recreate: true}, nil, []string{ObstacleRecreate}},
		{"a budget", traits{kind: KindStatefulSet, wanted: 2}, []string{"a", "b"}, []string{ObstacleBudget, ObstacleBudget}},
		{"paused", traits{kind: KindRollout, wanted: 2, paused: true}, nil, []string{"!" + ObstaclePaused}},
		{"on delete", traits{kind: KindDaemonSet, wanted: 2, onDelete: true}, nil, []string{"!" + ObstacleOnDelete}},
		{"partition", traits{kind: KindStatefulSet, wanted: 2, partition: 1}, nil, []string{"!" + ObstaclePartition}},
		{"an operator's StatefulSet", traits{kind: KindStatefulSet, wanted: 2, controller: "Postgresql db"}, nil, []string{ObstacleForeign}},
		{"an operator's pod", traits{kind: KindPod, wanted: 1, controller: "Postgresql db"}, nil, []string{"!" + ObstacleForeign}},
		{"a bare pod", traits{kind: KindPod, wanted: 1, annotations: argo}, nil, []string{"!" + ObstacleNoOwner}},
		{"a ReplicaSet", traits{kind: KindReplicaSet, wanted: 1}, nil, []string{"!" + ObstacleNotRolled}},
		{"a Job", traits{kind: KindJob, wanted: 1}, nil, []string{"!" + ObstacleNotRolled}},
		{"a CronJob", traits{kind: KindCronJob}, nil, []string{"!" + ObstacleStartsLater}},
		{"an Ingress", traits{kind: KindIngress, annotations: argo}, nil, nil},
		{"Argo CD", traits{kind: KindDeployment, wanted: 2, annotations: argo}, nil, []string{ObstacleByArgoCD}},
		{"Flux", traits{kind: KindDeployment, wanted: 2, labels: map[string]string{"kustomize.toolkit.fluxcd.io/name": "a"}}, nil, []string{ObstacleByFlux}},
		{"Flux's Helm", traits{kind: KindDeployment, wanted: 2, labels: map[string]string{"helm.toolkit.fluxcd.io/name": "a", "app.kubernetes.io/managed-by": "Helm"}}, nil, []string{ObstacleByFlux}},
		{"Helm", traits{kind: KindDeployment, wanted: 2, annotations: map[string]string{"meta.helm.sh/release-name": "a"}}, nil, []string{ObstacleByHelm}},
	} {
		var got []string
		for _, o := range tt.t.obstacles(tt.budgets) {
			mark := ""
			if o.Blocks {
				mark = "!"
			}
			got = append(got, mark+o.Code)
			if o.Says == "" || strings.HasSuffix(o.Says, ".") || o.Blocks && o.Cure == "" {
				t.Errorf("%s: %+v", tt.name, o)
			}
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
		restartable := len(tt.want) == 0 || !strings.HasPrefix(tt.want[0], "!")
		r := Reader{Kind: tt.t.kind, Obstacles: tt.t.obstacles(tt.budgets)}
		if r.Restartable() != (restartable && tt.t.rolls()) {
			t.Errorf("%s: restartable is %v", tt.name, r.Restartable())
		}
	}
}
