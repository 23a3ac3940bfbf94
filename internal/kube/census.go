package kube

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// finder gathers the readers of one namespace from decoded objects. They are handed over in this order: ServiceAccounts,
// workloads, ReplicaSets, Jobs, pods; the rest at any time. It keeps a few hundred bytes of each workload.
type finder struct {
	namespace string
	want      map[SecretRef]bool
	// setsHidden says that ReplicaSets could not be listed: pods are then led to their Deployment by name.
	setsHidden bool

	accounts map[string][]Use // pull secrets that pods get by admission, by ServiceAccount
	roots    map[types.UID]*root
	parents  map[types.UID]types.UID // of a ReplicaSet or Job that belongs to a root
	budgets  []budget
}

// root is an object that is told of as a reader, if it reads anything that is wanted.
type root struct {
	Reader
	traits
	podLabels map[string]string
}

// budget is a PodDisruptionBudget that allows no disruption now.
type budget struct {
	name string
	over labels.Selector
}

func newFinder(namespace string, want map[SecretRef]bool) *finder {
	return &finder{namespace: namespace, want: want,
		accounts: map[string][]Use{}, roots: map[types.UID]*root{}, parents: map[types.UID]types.UID{}}
}

func (f *finder) wanted(uses []Use) []Use {
	return slices.DeleteFunc(uses, func(u Use) bool { return !f.want[u.Secret] })
}

// root takes over an object with the pod template that it makes pods from, which may be nil.
func (f *finder) root(t traits, m *metav1.ObjectMeta, template *corev1.PodTemplateSpec, ready int32) *root {
	t.labels, t.annotations = m.Labels, m.Annotations
	r := &root{traits: t, Reader: Reader{Kind: t.kind, Namespace: f.namespace, Name: m.Name, UID: string(m.UID),
		Wanted: t.wanted, Ready: int(ready)}}
	if template != nil {
		r.podLabels, r.Uses = template.Labels, f.wanted(f.templateReads(&template.Spec))
	}
	f.roots[m.UID] = r
	return r
}

// templateReads is what pods made from spec read: what it says, and the pull secrets of its account unless it has its own.
func (f *finder) templateReads(spec *corev1.PodSpec) []Use {
	uses := podReads(f.namespace, spec)
	if len(spec.ImagePullSecrets) > 0 {
		return uses
	}
	return append(uses, f.accounts[cmp.Or(spec.ServiceAccountName, spec.DeprecatedServiceAccount, "default")]...)
}

func (f *finder) serviceAccount(sa *corev1.ServiceAccount) {
	r := f.root(traits{kind: KindServiceAccount}, &sa.ObjectMeta, nil, 0)
	for _, ref := range sa.ImagePullSecrets {
		r.Uses = append(r.Uses, Use{Secret: SecretRef{f.namespace, ref.Name}, How: HowPullSecret, Refreshes: true})
	}
	r.Uses = f.wanted(r.Uses)
	f.accounts[sa.Name] = slices.Clone(r.Uses)
	for _, ref := range sa.Secrets {
		r.Uses = append(r.Uses, Use{Secret: SecretRef{f.namespace, ref.Name}, How: HowServiceAccount})
	}
	r.Uses = f.wanted(r.Uses)
}

func (f *finder) deployment(d *appsv1.Deployment) {
	f.root(deploymentTraits(d), &d.ObjectMeta, &d.Spec.Template, d.Status.ReadyReplicas)
}

func (f *finder) statefulSet(s *appsv1.StatefulSet) {
	f.root(statefulSetTraits(s), &s.ObjectMeta, &s.Spec.Template, s.Status.ReadyReplicas)
}

func (f *finder) daemonSet(d *appsv1.DaemonSet) {
	f.root(daemonSetTraits(d), &d.ObjectMeta, &d.Spec.Template, d.Status.NumberReady)
}

func (f *finder) rollout(r *argoRollout) {
	f.root(r.traits(), &r.ObjectMeta, &r.Spec.Template, r.Status.ReadyReplicas)
}

func (f *finder) replicaSet(s *appsv1.ReplicaSet) {
	if f.belongs(&s.ObjectMeta) {
		return
	}
	t := traits{kind: KindReplicaSet, wanted: replicas(s.Spec.Replicas), controller: controllerOf(&s.ObjectMeta)}
	if t.controller != "" && t.wanted == 0 {
		return // an older revision, kept for going back
	}
	f.root(t, &s.ObjectMeta, &s.Spec.Template, s.Status.ReadyReplicas)
}

func (f *finder) cronJob(c *batchv1.CronJob) {
	f.root(traits{kind: KindCronJob}, &c.ObjectMeta, &c.Spec.JobTemplate.Spec.Template, 0)
}

func (f *finder) job(j *batchv1.Job) {
	if f.belongs(&j.ObjectMeta) {
		return
	}
	for _, c := range j.Status.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return // it reads nothing any more
		}
	}
	ready := int32(0)
	if j.Status.Ready != nil {
		ready = *j.Status.Ready
	}
	t := traits{kind: KindJob, wanted: replicas(j.Spec.Parallelism), controller: controllerOf(&j.ObjectMeta)}
	f.root(t, &j.ObjectMeta, &j.Spec.Template, ready)
}

// belongs reports whether a known root controls the object, and remembers it then.
func (f *finder) belongs(m *metav1.ObjectMeta) bool {
	owner := metav1.GetControllerOfNoCopy(m)
	if owner == nil || f.roots[owner.UID] == nil {
		return false
	}
	f.parents[m.UID] = owner.UID
	return true
}

// pod makes a root of a pod without a controller, or with one that is not known; any other is looked at for what its
// template does not say.
func (f *finder) pod(p *corev1.Pod) {
	if ended(p) {
		return
	}
	uses := f.wanted(podReads(f.namespace, &p.Spec))
	if len(uses) == 0 {
		return
	}
	if r := f.rootOf(p); r != nil {
		for _, u := range uses {
			if !slices.ContainsFunc(r.Uses, func(has Use) bool { return sameUse(has, u) }) {
				u.InPodsOnly = true
				r.Uses = append(r.Uses, u)
			}
		}
		return
	}
	ready := int32(0)
	if podReady(p) {
		ready = 1
	}
	r := f.root(traits{kind: KindPod, wanted: 1, controller: controllerOf(&p.ObjectMeta)}, &p.ObjectMeta, nil, ready)
	r.podLabels, r.Uses = p.Labels, uses
}

func (f *finder) rootOf(p *corev1.Pod) *root {
	owner := metav1.GetControllerOfNoCopy(p)
	if owner == nil {
		return nil
	}
	if parent, ok := f.parents[owner.UID]; ok {
		return f.roots[parent]
	}
	if r := f.roots[owner.UID]; r != nil || !f.setsHidden || owner.Kind != string(KindReplicaSet) {
		return r
	}
	name := strings.TrimSuffix(owner.Name, "-"+p.Labels[appsv1.DefaultDeploymentUniqueLabelKey])
	for _, r := range f.roots {
		if r.Reader.Kind == KindDeployment && r.Name == name {
			return r
		}
	}
	return nil
}

func (f *finder) ingress(i *networkingv1.Ingress) {
	r := f.root(traits{kind: KindIngress}, &i.ObjectMeta, nil, 0)
	for _, t := range i.Spec.TLS {
		if t.SecretName != "" {
			r.Uses = append(r.Uses, Use{Secret: SecretRef{f.namespace, t.SecretName}, Keys: []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey},
				How: HowIngress, At: strings.Join(t.Hosts, ", "), Refreshes: true})
		}
	}
	r.Uses = f.wanted(r.Uses)
}

func (f *finder) budget(b *policyv1.PodDisruptionBudget) {
	if b.Status.DisruptionsAllowed > 0 || b.Status.ExpectedPods == 0 {
		return
	}
	if over, err := metav1.LabelSelectorAsSelector(b.Spec.Selector); err == nil {
		f.budgets = append(f.budgets, budget{b.Name, over})
	}
}

// readers returns every root that reads what is wanted, with its obstacles, sorted.
func (f *finder) readers() []Reader {
	var out []Reader
	for r := range maps.Values(f.roots) {
		if len(r.Uses) == 0 {
			continue
		}
		var over []string
		for _, b := range f.budgets {
			if len(r.podLabels) > 0 && b.over.Matches(labels.Set(r.podLabels)) {
				over = append(over, b.name)
			}
		}
		r.Obstacles, r.Kept = r.obstacles(over), r.kept()
		out = append(out, r.Reader)
	}
	slices.SortFunc(out, compareReaders)
	return out
}

func sameUse(a, b Use) bool {
	return a.Secret == b.Secret && a.How == b.How && a.Container == b.Container && a.Init == b.Init && a.At == b.At &&
		slices.Equal(a.Keys, b.Keys)
}

// controllerOf names what controls an object; "" is nothing.
func controllerOf(m *metav1.ObjectMeta) string {
	if owner := metav1.GetControllerOfNoCopy(m); owner != nil {
		return owner.Kind + " " + owner.Name
	}
	return ""
}

// ended reports whether none of the pod's containers runs or will run again.
func ended(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

func podReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// replicas is how many an object asks for; none said is 1.
func replicas(n *int32) int {
	if n == nil {
		return 1
	}
	return int(*n)
}
