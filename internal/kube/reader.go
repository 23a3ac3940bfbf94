package kube

import "cmp"

// ReaderKind is the kind of an object that reads Secrets.
type ReaderKind string

// The kinds that Readers looks at.
const (
	KindDeployment     ReaderKind = "Deployment"
	KindStatefulSet    ReaderKind = "StatefulSet"
	KindDaemonSet      ReaderKind = "DaemonSet"
	KindRollout        ReaderKind = "Rollout" // of Argo Rollouts
	KindReplicaSet     ReaderKind = "ReplicaSet"
	KindJob            ReaderKind = "Job"
	KindCronJob        ReaderKind = "CronJob"
	KindPod            ReaderKind = "Pod"
	KindServiceAccount ReaderKind = "ServiceAccount"
	KindIngress        ReaderKind = "Ingress"
)

// kindBudget is looked at for what it protects; it reads no Secret.
const kindBudget ReaderKind = "PodDisruptionBudget"

// SecretRef names a Secret of a cluster.
type SecretRef struct {
	Namespace, Name string
}

// How is the way in which a Secret is read.
type How string

// The ways. Only volume, projected, pull secret and ingress take a change up by themselves.
const (
	HowEnv            How = "env"             // one key, as an environment variable
	HowEnvFrom        How = "envFrom"         // all keys, as environment variables
	HowVolume         How = "volume"          // files of a secret volume
	HowProjected      How = "projected"       // files of a projected volume
	HowSubPath        How = "subPath"         // one path of either, mounted by itself: kubelet never renews it
	HowCSI            How = "csi"             // the credential of a CSI driver (nodePublishSecretRef)
	HowDriver         How = "volume driver"   // the credential of a volume plugin from before CSI
	HowPullSecret     How = "pull secret"     // kubelet pulls images with it
	HowServiceAccount How = "service account" // named in the ServiceAccount's secrets
	HowIngress        How = "ingress"         // the certificate of a host
)

// Use is one reference to a Secret.
type Use struct {
	Secret SecretRef
	// Keys are sorted. Nil is every key, present and future.
	Keys []string
	How  How
	// Container is empty when the pod or object as a whole reads it. Init says that it is an init container.
	Container string
	Init      bool
	// At is the variable, the mount's path, or the volume's name.
	At string
	// Optional says that pods start without the Secret or key.
	Optional bool
	// Refreshes says that what runs gets to see a change without a restart: files are renewed within about a minute, pull
	// secrets and certificates are read when they are needed. Whether a program reads its file again is its own affair.
	Refreshes bool
	// InPodsOnly says that running pods have the reference and the template they are made from does not: admission added
	// it, or they are left from an older template.
	InPodsOnly bool
}

// Reader is one object that reads at least one of the wanted Secrets.
type Reader struct {
	Kind                 ReaderKind
	Namespace, Name, UID string
	// Wanted and Ready count pods: those that there should be, and those that are ready. Of a CronJob both are 0.
	Wanted, Ready int
	// Uses are in the order of the object's own fields.
	Uses []Use
	// Obstacles are what stands in the way of a restart, those that block it first.
	Obstacles []Obstacle
	// Kept names what would put an old name of a Secret back into it: a deployment tool that keeps it equal to a source, or
	// what controls it. Empty if nothing would.
	Kept string
}

// Restartable reports whether Restart would go about it.
func (r Reader) Restartable() bool {
	switch r.Kind {
	case KindDeployment, KindStatefulSet, KindDaemonSet, KindRollout:
	default:
		return false
	}
	for _, o := range r.Obstacles {
		if o.Blocks {
			return false
		}
	}
	return true
}

// Workload names what Restart and RolledOut act on.
func (r Reader) Workload() Workload { return Workload{r.Kind, r.Namespace, r.Name, r.UID} }

// Unreadable is a kind that the connector has no right to list, so that readers of it are not known.
type Unreadable struct {
	Kind  ReaderKind
	Right Right
}

// Census is who reads the wanted Secrets.
type Census struct {
	// Readers are sorted by namespace, kind and name.
	Readers []Reader
	// Unreadable is what the census could not see. A census that has any must not be taken for complete.
	Unreadable []Unreadable
}

func compareReaders(a, b Reader) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID))
}
