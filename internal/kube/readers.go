package kube

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"golang.org/x/sync/errgroup"

	"github.com/keyturn/keyturn/internal/fault"
)

// censusLimit is how many namespaces are looked at side by side.
const censusLimit = 4

// Readers returns who reads the wanted Secrets, whether these exist or not. It lists each kind once in each of their
// namespaces, in pages. A kind that the connector has no right to list is told of in the census and the rest goes on; any
// other failure fails the whole.
func (c *Conn) Readers(ctx context.Context, want []SecretRef) (Census, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	wanted := make(map[SecretRef]bool, len(want))
	var namespaces []string
	for _, ref := range want {
		if ref.Namespace == "" || ref.Name == "" {
			return Census{}, fault.New(fault.Invalid, "a Secret without namespace or name has no readers")
		}
		wanted[ref] = true
		namespaces = append(namespaces, ref.Namespace)
	}
	if len(want) == 0 {
		return Census{}, nil
	}
	slices.Sort(namespaces)
	namespaces = slices.Compact(namespaces)
	argo, err := c.hasArgo(ctx)
	if err != nil {
		return Census{}, err
	}
	each := make([]Census, len(namespaces))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(censusLimit)
	for i, ns := range namespaces {
		g.Go(func() (err error) {
			each[i], err = c.readersIn(ctx, ns, wanted, argo)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return Census{}, err
	}
	var all Census
	for _, part := range each {
		all.Readers = append(all.Readers, part.Readers...)
		all.Unreadable = append(all.Unreadable, part.Unreadable...)
	}
	return all, nil
}

// pageFunc lists once and hands what came to whom it was made for.
type pageFunc func(context.Context, metav1.ListOptions) (metav1.ListInterface, error)

// listing is one kind that the census lists.
type listing struct {
	kind            ReaderKind
	group, resource string
	page            pageFunc
}

// readersIn takes the census of one namespace.
func (c *Conn) readersIn(ctx context.Context, namespace string, want map[SecretRef]bool, argo bool) (Census, error) {
	f := newFinder(namespace, want)
	var hidden []Unreadable
	for _, l := range c.listings(f, argo) {
		_, err := c.listAll(ctx, "list "+l.resource+" in "+namespace, metav1.ListOptions{}, l.page)
		if refused, ok := errors.AsType[*fault.Error](err); ok && refused.Code == codeRight {
			right := Right{Verb: "list", Group: l.group, Resource: l.resource, Namespace: namespace}
			hidden = append(hidden, Unreadable{l.kind, right})
			f.setsHidden = f.setsHidden || l.kind == KindReplicaSet
			continue
		}
		if err != nil {
			return Census{}, err
		}
	}
	return Census{f.readers(), hidden}, nil
}

// listings are in the order that the finder asks for.
func (c *Conn) listings(f *finder, argo bool) []listing {
	core, apps, batch, ns := c.typed.CoreV1(), c.typed.AppsV1(), c.typed.BatchV1(), f.namespace
	out := []listing{
		{KindServiceAccount, "", "serviceaccounts",
			paged(core.ServiceAccounts(ns).List, func(l *corev1.ServiceAccountList) { each(l.Items, f.serviceAccount) })},
		{KindDeployment, appsv1.GroupName, "deployments",
			paged(apps.Deployments(ns).List, func(l *appsv1.DeploymentList) { each(l.Items, f.deployment) })},
		{KindStatefulSet, appsv1.GroupName, "statefulsets",
			paged(apps.StatefulSets(ns).List, func(l *appsv1.StatefulSetList) { each(l.Items, f.statefulSet) })},
		{KindDaemonSet, appsv1.GroupName, "daemonsets",
			paged(apps.DaemonSets(ns).List, func(l *appsv1.DaemonSetList) { each(l.Items, f.daemonSet) })},
		{KindCronJob, batchv1.GroupName, "cronjobs",
			paged(batch.CronJobs(ns).List, func(l *batchv1.CronJobList) { each(l.Items, f.cronJob) })},
	}
	if argo {
		out = append(out, listing{KindRollout, argoRollouts.Group, argoRollouts.Resource, c.rollouts(f)})
	}
	return append(out,
		listing{KindReplicaSet, appsv1.GroupName, "replicasets",
			paged(apps.ReplicaSets(ns).List, func(l *appsv1.ReplicaSetList) { each(l.Items, f.replicaSet) })},
		listing{KindJob, batchv1.GroupName, "jobs",
			paged(batch.Jobs(ns).List, func(l *batchv1.JobList) { each(l.Items, f.job) })},
		listing{KindPod, "", "pods",
			paged(core.Pods(ns).List, func(l *corev1.PodList) { each(l.Items, f.pod) })},
		listing{KindIngress, networkingv1.GroupName, "ingresses",
			paged(c.typed.NetworkingV1().Ingresses(ns).List, func(l *networkingv1.IngressList) { each(l.Items, f.ingress) })},
		listing{kindBudget, policyv1.GroupName, "poddisruptionbudgets",
			paged(c.typed.PolicyV1().PodDisruptionBudgets(ns).List, func(l *policyv1.PodDisruptionBudgetList) { each(l.Items, f.budget) })},
	)
}

// rollouts lists Argo Rollouts, of which client-go has no types.
func (c *Conn) rollouts(f *finder) pageFunc {
	return func(ctx context.Context, opts metav1.ListOptions) (metav1.ListInterface, error) {
		l, err := c.loose.Resource(argoRollouts).Namespace(f.namespace).List(ctx, opts)
		if err != nil {
			return nil, err
		}
		for i := range l.Items {
			r := &argoRollout{}
			if convert(&l.Items[i], r) != nil {
				return nil, noAnswer("list rollouts")
			}
			f.rollout(r)
		}
		return l, nil
	}
}

// paged lists with list and hands what came to take.
func paged[L metav1.ListInterface](list func(context.Context, metav1.ListOptions) (L, error), take func(L)) pageFunc {
	return func(ctx context.Context, opts metav1.ListOptions) (metav1.ListInterface, error) {
		l, err := list(ctx, opts)
		if err != nil {
			return nil, err
		}
		if l.GetResourceVersion() != "" {
			take(l)
		}
		return l, nil
	}
}

func each[T any](items []T, take func(*T)) {
	for i := range items {
		take(&items[i])
	}
}

// listAll lists what opts select to the end, and returns the resourceVersion that all pages belong to. An answer that is no
// list fails: taken for an empty one it would hide what there is.
func (c *Conn) listAll(ctx context.Context, what string, opts metav1.ListOptions, list pageFunc) (string, error) {
	opts.Limit = pageSize
	pages := newPages(what)
	for {
		l, err := list(ctx, opts)
		if errors.Is(err, errTooLarge) && opts.Limit > 1 {
			opts.Limit = max(1, opts.Limit/8)
			continue
		}
		if err != nil {
			return "", c.faultOf(ctx, err, what)
		}
		if l.GetResourceVersion() == "" {
			return "", noAnswer(what)
		}
		if err := pages.next(l.GetContinue()); err != nil {
			return "", err
		}
		if opts.Continue = l.GetContinue(); opts.Continue == "" {
			return l.GetResourceVersion(), nil
		}
	}
}

// hasArgo reports whether the cluster knows the resource of Argo Rollouts; other products of Argo share its API group.
func (c *Conn) hasArgo(ctx context.Context) (bool, error) {
	const what = "look for Argo Rollouts"
	raw, err := c.typed.Discovery().RESTClient().Get().AbsPath("/apis/"+argoRollouts.GroupVersion().String()).
		SetHeader("Accept", "application/json").Do(ctx).Raw()
	if gone(err) {
		return false, nil
	}
	if err != nil {
		return false, apiFault(err, what)
	}
	var known metav1.APIResourceList
	if json.Unmarshal(raw, &known) != nil || known.Kind != "APIResourceList" {
		return false, noAnswer(what)
	}
	return slices.ContainsFunc(known.APIResources, func(r metav1.APIResource) bool { return r.Name == argoRollouts.Resource }), nil
}
