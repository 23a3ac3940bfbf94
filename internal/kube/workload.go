package kube

import (
	"encoding/json"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/keyturn/keyturn/internal/fault"
)

// RestartedBy is the annotation of a pod template that holds the marker of the last restart by Keyturn, and so of every pod
// made since.
const RestartedBy = "keyturn.dev/restarted-by"

// Workload names a Deployment, StatefulSet, DaemonSet or Argo Rollout. With a UID it is that very object, and one that took
// its name since is another; an empty UID is whichever has the name.
type Workload struct {
	Kind                 ReaderKind
	Namespace, Name, UID string
}

// String returns the workload as people name it.
func (w Workload) String() string { return string(w.Kind) + " " + w.Namespace + "/" + w.Name }

// argoRollouts is the resource of Argo Rollouts.
var argoRollouts = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "rollouts"}

// resource returns the API's name for the workload's kind.
func (w Workload) resource() (schema.GroupVersionResource, error) {
	switch w.Kind {
	case KindDeployment:
		return appsv1.SchemeGroupVersion.WithResource("deployments"), nil
	case KindStatefulSet:
		return appsv1.SchemeGroupVersion.WithResource("statefulsets"), nil
	case KindDaemonSet:
		return appsv1.SchemeGroupVersion.WithResource("daemonsets"), nil
	case KindRollout:
		return argoRollouts, nil
	}
	return schema.GroupVersionResource{}, fault.New(fault.Invalid, "a %s cannot be restarted", w.Kind).WithCode("workload-kind").
		WithCure("restart Deployments, StatefulSets, DaemonSets or Argo Rollouts").WithUnchanged("nothing was changed in the cluster")
}

// state is what Keyturn looks at in a workload.
type state struct {
	traits
	uid, resourceVersion, marker string

	generation, observed int64
	selector             *metav1.LabelSelector
	// settled says that, by its own account, the controller has brought all pods to the newest template.
	settled bool
	// stuck is why the controller gets no further, if it says so.
	stuck *Stuck
}

// hasSets reports whether its pods belong to ReplicaSets.
func (t traits) hasSets() bool { return t.kind == KindDeployment || t.kind == KindRollout }

// argoRollout is as much of a Rollout as is needed.
type argoRollout struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec struct {
		Replicas    *int32                 `json:"replicas"`
		Paused      bool                   `json:"paused"`
		Selector    *metav1.LabelSelector  `json:"selector"`
		Template    corev1.PodTemplateSpec `json:"template"`
		WorkloadRef *struct {
			Kind string `json:"kind"`
			Name string `json:"name"`
		} `json:"workloadRef"`
	} `json:"spec"`
	Status struct {
		ObservedGeneration string `json:"observedGeneration"`
		ReadyReplicas      int32  `json:"readyReplicas"`
		Phase              string `json:"phase"`
		PauseConditions    []struct {
			Reason string `json:"reason"`
		} `json:"pauseConditions"`
	} `json:"status"`
}

func (r *argoRollout) traits() traits {
	t := traits{kind: KindRollout, paused: r.Spec.Paused, wanted: replicas(r.Spec.Replicas), controller: controllerOf(&r.ObjectMeta)}
	if ref := r.Spec.WorkloadRef; ref != nil {
		t.elsewhere = ref.Kind + " " + ref.Name
	}
	return t
}

func deploymentTraits(d *appsv1.Deployment) traits {
	return traits{kind: KindDeployment, paused: d.Spec.Paused, recreate: d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType,
		wanted: replicas(d.Spec.Replicas), controller: controllerOf(&d.ObjectMeta)}
}

func statefulSetTraits(s *appsv1.StatefulSet) traits {
	t := traits{kind: KindStatefulSet, onDelete: s.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType,
		wanted: replicas(s.Spec.Replicas), controller: controllerOf(&s.ObjectMeta)}
	if r := s.Spec.UpdateStrategy.RollingUpdate; r != nil && r.Partition != nil {
		t.partition = int(*r.Partition)
	}
	return t
}

func daemonSetTraits(d *appsv1.DaemonSet) traits {
	return traits{kind: KindDaemonSet, onDelete: d.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType,
		wanted: int(d.Status.DesiredNumberScheduled), controller: controllerOf(&d.ObjectMeta)}
}

// workloadState reads what matters from an object of one of the four kinds.
func workloadState(u *unstructured.Unstructured) (state, error) {
	var s state
	var meta *metav1.ObjectMeta
	var template *corev1.PodTemplateSpec
	var err error
	switch u.GroupVersionKind().GroupKind() {
	case appsv1.SchemeGroupVersion.WithKind(string(KindDeployment)).GroupKind():
		d := &appsv1.Deployment{}
		err = convert(u, d)
		meta, template = &d.ObjectMeta, &d.Spec.Template
		s = state{traits: deploymentTraits(d), observed: d.Status.ObservedGeneration, selector: d.Spec.Selector,
			settled: true, stuck: deploymentStuck(d)}
	case appsv1.SchemeGroupVersion.WithKind(string(KindStatefulSet)).GroupKind():
		d := &appsv1.StatefulSet{}
		err = convert(u, d)
		meta, template = &d.ObjectMeta, &d.Spec.Template
		s = state{traits: statefulSetTraits(d), observed: d.Status.ObservedGeneration, selector: d.Spec.Selector,
			settled: d.Status.CurrentRevision == d.Status.UpdateRevision}
	case appsv1.SchemeGroupVersion.WithKind(string(KindDaemonSet)).GroupKind():
		d := &appsv1.DaemonSet{}
		err = convert(u, d)
		meta, template = &d.ObjectMeta, &d.Spec.Template
		s = state{traits: daemonSetTraits(d), observed: d.Status.ObservedGeneration, selector: d.Spec.Selector,
			settled: d.Status.UpdatedNumberScheduled == d.Status.DesiredNumberScheduled}
	default:
		r := &argoRollout{}
		err = convert(u, r)
		meta, template = &r.ObjectMeta, &r.Spec.Template
		s = state{traits: r.traits(), observed: number(r.Status.ObservedGeneration), selector: r.Spec.Selector,
			settled: r.Status.Phase == "Healthy", stuck: r.stuck()}
	}
	if err != nil {
		return state{}, err
	}
	s.labels, s.annotations = meta.Labels, meta.Annotations
	s.uid, s.resourceVersion, s.generation = string(meta.UID), meta.ResourceVersion, meta.Generation
	s.marker = template.Annotations[RestartedBy]
	return s, nil
}

func convert(u *unstructured.Unstructured, into any) error {
	return runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, into)
}

// number reads a generation that is written as text; what is none is 0, which was never observed.
func number(s string) int64 {
	n, err := json.Number(s).Int64()
	if err != nil {
		return 0
	}
	return n
}
