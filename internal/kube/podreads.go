package kube

import (
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// podReads returns every reference to a Secret in a pod or pod template of namespace.
func podReads(namespace string, spec *corev1.PodSpec) []Use {
	r := specReads{namespace: namespace, spec: spec, mounted: map[string]bool{}}
	for i := range spec.InitContainers {
		c := &spec.InitContainers[i]
		// One that ended will not look at its files again; one that restarts always is a sidecar and runs on.
		sidecar := c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
		r.container(c, true, sidecar)
	}
	for i := range spec.Containers {
		r.container(&spec.Containers[i], false, true)
	}
	for i := range spec.EphemeralContainers {
		r.container((*corev1.Container)(&spec.EphemeralContainers[i].EphemeralContainerCommon), false, true)
	}
	for i := range spec.Volumes {
		r.volume(&spec.Volumes[i])
	}
	for _, ref := range spec.ImagePullSecrets {
		r.add(ref.Name, Use{How: HowPullSecret, Refreshes: true})
	}
	return r.found
}

type specReads struct {
	namespace string
	spec      *corev1.PodSpec
	mounted   map[string]bool // volumes that a container mounts
	found     []Use
}

func (r *specReads) add(secret string, u Use) {
	if secret == "" {
		return
	}
	u.Secret = SecretRef{r.namespace, secret}
	r.found = append(r.found, u)
}

func (r *specReads) container(c *corev1.Container, init, lives bool) {
	for _, e := range c.Env {
		if e.ValueFrom == nil || e.ValueFrom.SecretKeyRef == nil {
			continue
		}
		ref := e.ValueFrom.SecretKeyRef
		r.add(ref.Name, Use{Keys: []string{ref.Key}, How: HowEnv, Container: c.Name, Init: init, At: e.Name, Optional: isTrue(ref.Optional)})
	}
	for _, e := range c.EnvFrom {
		if e.SecretRef != nil {
			r.add(e.SecretRef.Name, Use{How: HowEnvFrom, Container: c.Name, Init: init, At: e.Prefix, Optional: isTrue(e.SecretRef.Optional)})
		}
	}
	for _, m := range c.VolumeMounts {
		at := slices.IndexFunc(r.spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
		if at < 0 {
			continue
		}
		r.mounted[m.Name] = true
		for _, f := range filesOf(&r.spec.Volumes[at]) {
			u := Use{Keys: f.keys(), How: f.how, Container: c.Name, Init: init, At: m.MountPath, Optional: f.optional, Refreshes: lives}
			switch {
			case m.SubPathExpr != "":
				u.How, u.Refreshes = HowSubPath, false
			case m.SubPath != "":
				u.How, u.Refreshes, u.Keys = HowSubPath, false, f.keysAt(m.SubPath)
			}
			r.add(f.secret, u)
		}
	}
}

// volume adds what no container's mount has added: credentials of drivers, and Secrets that are only kept ready.
func (r *specReads) volume(v *corev1.Volume) {
	if !r.mounted[v.Name] {
		for _, f := range filesOf(v) {
			r.add(f.secret, Use{Keys: f.keys(), How: f.how, At: v.Name, Optional: f.optional, Refreshes: true})
		}
	}
	if v.CSI != nil && v.CSI.NodePublishSecretRef != nil {
		r.add(v.CSI.NodePublishSecretRef.Name, Use{How: HowCSI, At: v.Name})
	}
	r.add(driverSecret(v), Use{How: HowDriver, At: v.Name})
}

// driverSecret returns the Secret with which a volume plugin from before CSI mounts v, if any.
func driverSecret(v *corev1.Volume) string {
	var ref *corev1.LocalObjectReference
	switch {
	case v.AzureFile != nil:
		return v.AzureFile.SecretName
	case v.CephFS != nil:
		ref = v.CephFS.SecretRef
	case v.FlexVolume != nil:
		ref = v.FlexVolume.SecretRef
	case v.ISCSI != nil:
		ref = v.ISCSI.SecretRef
	case v.RBD != nil:
		ref = v.RBD.SecretRef
	case v.ScaleIO != nil:
		ref = v.ScaleIO.SecretRef
	case v.StorageOS != nil:
		ref = v.StorageOS.SecretRef
	}
	if ref == nil {
		return ""
	}
	return ref.Name
}

// files are those that one Secret gives to a volume.
type files struct {
	secret   string
	how      How
	items    []corev1.KeyToPath // none: each key is a file of its name
	optional bool
}

func filesOf(v *corev1.Volume) []files {
	var out []files
	if s := v.Secret; s != nil {
		out = append(out, files{s.SecretName, HowVolume, s.Items, isTrue(s.Optional)})
	}
	if v.Projected != nil {
		for _, source := range v.Projected.Sources {
			if s := source.Secret; s != nil {
				out = append(out, files{s.Name, HowProjected, s.Items, isTrue(s.Optional)})
			}
		}
	}
	return out
}

func (f files) keys() []string {
	var keys []string
	for _, item := range f.items {
		keys = append(keys, item.Key)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// keysAt returns the keys that lie at or below a path of the volume; when that cannot be told, all of them.
func (f files) keysAt(subPath string) []string {
	subPath = path.Clean(subPath)
	if len(f.items) == 0 {
		if subPath == "." || strings.Contains(subPath, "/") {
			return nil
		}
		return []string{subPath}
	}
	below := files{}
	for _, item := range f.items {
		if p := path.Clean(item.Path); p == subPath || strings.HasPrefix(p, subPath+"/") {
			below.items = append(below.items, item)
		}
	}
	if len(below.items) == 0 {
		return f.keys()
	}
	return below.keys()
}

func isTrue(b *bool) bool { return b != nil && *b }
