package kube

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// waiting says what the reasons mean for which kubelet keeps a container from running. Free text of kubelet is not passed on:
// a start command or an environment may be quoted there.
var waiting = map[string]string{
	"ImagePullBackOff":           "cannot pull its image",
	"ErrImagePull":               "cannot pull its image",
	"ErrImageNeverPull":          "has an image that is not on the node, and may not be pulled",
	"InvalidImageName":           "has an image name that is not valid",
	"CrashLoopBackOff":           "ends again and again after its start",
	"CreateContainerConfigError": "names a Secret, ConfigMap or key that is not there",
	"CreateContainerError":       "cannot be made by the node's container runtime",
	"RunContainerError":          "cannot be started by the node's container runtime",
}

// podStuck says why a pod is not ready, as far as its status tells; nil while it may be on its way.
func podStuck(p *corev1.Pod) *Stuck {
	for _, statuses := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
		for _, s := range statuses {
			if w := s.State.Waiting; w != nil && waiting[w.Reason] != "" {
				return &Stuck{Code: w.Reason, Says: fmt.Sprintf("container %s of pod %s %s", s.Name, p.Name, waiting[w.Reason]), Pod: p.Name}
			}
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return &Stuck{Code: c.Reason, Says: fmt.Sprintf("no node takes pod %s, for want of room or by a rule", p.Name), Pod: p.Name}
		}
	}
	if p.Status.Phase == corev1.PodRunning {
		return &Stuck{Code: StuckUnready, Says: fmt.Sprintf("pod %s runs and is not ready", p.Name), Pod: p.Name}
	}
	return nil
}

// deploymentStuck says why a Deployment's controller gets no further.
func deploymentStuck(d *appsv1.Deployment) *Stuck {
	var late *Stuck
	for _, c := range d.Status.Conditions {
		switch {
		case c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue && strings.Contains(c.Message, "exceeded quota"):
			return &Stuck{Code: StuckQuota, Says: "a quota of the namespace is used up, so no new pod can be made"}
		case c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue:
			return &Stuck{Code: StuckNoPods,
				Says: "the cluster refuses to make new pods, by admission or for want of a right; the ReplicaSet's events say why"}
		case c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse && c.Reason == StuckDeadline:
			late = &Stuck{Code: StuckDeadline, Says: "the Deployment made no progress within its progressDeadlineSeconds"}
		}
	}
	return late
}

// stuck says why a Rollout of Argo gets no further.
func (r *argoRollout) stuck() *Stuck {
	switch {
	case len(r.Status.PauseConditions) > 0:
		return &Stuck{Code: StuckPaused, Says: "the Rollout waits at a step of its strategy; promote it with kubectl argo rollouts promote"}
	case r.Status.Phase == "Degraded":
		return &Stuck{Code: StuckDegraded, Says: "the Rollout is degraded, and Argo Rollouts may have gone back to the older template"}
	}
	return nil
}
