package kube

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"
)

func TestPodReads(t *testing.T) {
	for _, tt := range []struct {
		name, spec string
		want       []string
	}{
		{"a variable", `containers: [{name: app, env: [{name: A, value: x}, {name: PW, valueFrom: {secretKeyRef: {name: db, key: password}}}]}]`,
			[]string{"db [password] env app at PW"}},
		{"an optional one of an init container", `initContainers: [{name: wait, env: [{name: PW, valueFrom: {secretKeyRef: {name: db, key: password, optional: true}}}]}]`,
			[]string{"db [password] env init wait at PW optional"}},
		{"all keys as variables", `containers: [{name: app, envFrom: [{configMapRef: {name: x}}, {prefix: DB_, secretRef: {name: db}}]}]`,
			[]string{"db all envFrom app at DB_"}},
		{"a volume in two containers", `{volumes: [{name: v, secret: {secretName: db}}], containers: [{name: a, volumeMounts: [{name: v, mountPath: /a}]}, {name: b, volumeMounts: [{name: v, mountPath: /b}]}]}`,
			[]string{"db all volume a at /a refreshes", "db all volume b at /b refreshes"}},
		{"some keys of a volume", `{volumes: [{name: v, secret: {secretName: db, optional: true, items: [{key: u, path: user}, {key: p, path: in/password}]}}], containers: [{name: a, volumeMounts: [{name: v, mountPath: /a}]}]}`,
			[]string{"db [p u] volume a at /a optional refreshes"}},
		{"one path by itself", `{volumes: [{name: v, secret: {secretName: db}}], containers: [{name: a, volumeMounts: [{name: v, mountPath: /a/pw, subPath: password}]}]}`,
			[]string{"db [password] subPath a at /a/pw"}},
		{"a folder of items by itself", `{volumes: [{name: v, secret: {secretName: db, items: [{key: u, path: user}, {key: p, path: in/password}]}}], containers: [{name: a, volumeMounts: [{name: v, mountPath: /a, subPath: in}]}]}`,
			[]string{"db [p] subPath a at /a"}},
		{"a path that is known at the start only", `{volumes: [{name: v, secret: {secretName: db}}], containers: [{name: a, volumeMounts: [{name: v, mountPath: /a, subPathExpr: $(POD)}]}]}`,
			[]string{"db all subPath a at /a"}},
		{"files of an init container that ended", `{volumes: [{name: v, secret: {secretName: db}}], initContainers: [{name: a, volumeMounts: [{name: v, mountPath: /a}]}]}`,
			[]string{"db all volume init a at /a"}},
		{"files of a sidecar", `{volumes: [{name: v, secret: {secretName: db}}], initContainers: [{name: a, restartPolicy: Always, volumeMounts: [{name: v, mountPath: /a}]}]}`,
			[]string{"db all volume init a at /a refreshes"}},
		{"two Secrets in one volume", `{volumes: [{name: v, projected: {sources: [{secret: {name: db, items: [{key: p, path: p}]}}, {serviceAccountToken: {path: t}}, {secret: {name: tls}}]}}], containers: [{name: a, volumeMounts: [{name: v, mountPath: /a}]}]}`,
			[]string{"db [p] projected a at /a refreshes", "tls all projected a at /a refreshes"}},
		{"a volume that nobody mounts", `{volumes: [{name: v, secret: {secretName: db}}], containers: [{name: a}]}`,
			[]string{"db all volume at v refreshes"}},
		{"a driver's credential", `{volumes: [{name: v, csi: {driver: secrets-store.csi.k8s.io, nodePublishSecretRef: {name: vault}}}], containers: [{name: a, volumeMounts: [{name: v, mountPath: /a}]}]}`,
			[]string{"vault all csi at v"}},
		{"plugins from before CSI", `volumes: [{name: a, azureFile: {secretName: s1}}, {name: b, cephfs: {secretRef: {name: s2}}}, {name: c, flexVolume: {secretRef: {name: s3}}}, {name: d, iscsi: {secretRef: {name: s4}}}, {name: e, rbd: {secretRef: {name: s5}}}, {name: f, scaleIO: {secretRef: {name: s6}}}, {name: g, storageos: {secretRef: {name: s7}}}, {name: h, emptyDir: {}}]`,
			[]string{"s1 all volume driver at a", "s2 all volume driver at b", "s3 all volume driver at c", "s4 all volume driver at d", "s5 all volume driver at e", "s6 all volume driver at f", "s7 all volume driver at g"}},
		{"a pull secret, and a container for debugging", `{imagePullSecrets: [{name: registry}], ephemeralContainers: [{name: debug, env: [{name: PW, valueFrom: {secretKeyRef: {name: db, key: p}}}]}]}`,
			[]string{"db [p] env debug at PW", "registry all pull secret refreshes"}},
		{"names that lead nowhere", `{volumes: [{name: v, secret: {secretName: ""}}], containers: [{name: a, volumeMounts: [{name: other, mountPath: /a}], envFrom: [{secretRef: {name: ""}}]}]}`, nil},
	} {
		var spec corev1.PodSpec
		if err := yaml.UnmarshalStrict([]byte(tt.spec), &spec); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		var got []string
		for _, u := range podReads("shop", &spec) {
			if u.Secret.Namespace != "shop" {
				t.Errorf("%s: namespace %q", tt.name, u.Secret.Namespace)
			}
			got = append(got, describe(u))
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func describe(u Use) string {
	keys := "all"
	if u.Keys != nil {
		keys = fmt.Sprint(u.Keys)
	}
	f := []string{u.Secret.Name, keys, string(u.How)}
	for _, x := range []struct {
		is   bool
		text string
	}{{u.Init, "init"}, {u.Container != "", u.Container}, {u.At != "", "at " + u.At}, {u.Optional, "optional"}, {u.Refreshes, "refreshes"}, {u.InPodsOnly, "in pods only"}} {
		if x.is {
			f = append(f, x.text)
		}
	}
	return strings.Join(f, " ")
}

// Whatever references a template holds, in whatever mixture, each Secret is found under its way and key.
func TestEveryReferenceIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var spec corev1.PodSpec
		for i := range rapid.IntRange(1, 4).Draw(t, "containers") {
			c := corev1.Container{Name: fmt.Sprintf("c%d", i)}
			if rapid.Bool().Draw(t, "init") {
				spec.InitContainers = append(spec.InitContainers, c)
			} else {
				spec.Containers = append(spec.Containers, c)
			}
		}
		want := map[string]string{} // Secret → way and key
		for i := range rapid.IntRange(0, 12).Draw(t, "references") {
			name := fmt.Sprintf("secret-%d", i)
			refer(t, &spec, name, want)
		}
		got := map[string]string{}
		for _, u := range podReads("shop", &spec) {
			got[u.Secret.Name] = string(u.How) + " " + strings.Join(u.Keys, ",")
			if u.Refreshes != (u.How == HowVolume || u.How == HowProjected || u.How == HowPullSecret) && !u.Init {
				t.Errorf("%s: refreshes is %v", describe(u), u.Refreshes)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("references (-written +found):\n%s", d)
		}
	})
}

// refer writes one reference to a Secret into a container or the pod.
func refer(t *rapid.T, spec *corev1.PodSpec, name string, want map[string]string) {
	all := []*corev1.Container{}
	for i := range spec.InitContainers {
		all = append(all, &spec.InitContainers[i])
	}
	for i := range spec.Containers {
		all = append(all, &spec.Containers[i])
	}
	c := rapid.SampledFrom(all).Draw(t, "container")
	local := corev1.LocalObjectReference{Name: name}
	volume := func(source corev1.VolumeSource, subPath string, mounted bool) {
		spec.Volumes = append(spec.Volumes, corev1.Volume{Name: "v-" + name, VolumeSource: source})
		if mounted {
			c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "v-" + name, MountPath: "/" + name, SubPath: subPath})
		}
	}
	mounted := rapid.Bool().Draw(t, "mounted")
	secret := corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name, Items: []corev1.KeyToPath{{Key: "k", Path: "f/k"}}}}
	switch way := rapid.SampledFrom([]How{HowEnv, HowEnvFrom, HowVolume, HowProjected, HowSubPath, HowCSI, HowDriver, HowPullSecret}).Draw(t, "way"); way {
	case HowEnv:
		c.Env = append(c.Env, corev1.EnvVar{Name: "E", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: local, Key: "k"}}})
		want[name] = "env k"
	case HowEnvFrom:
		c.EnvFrom = append(c.EnvFrom, corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: local}})
		want[name] = "envFrom "
	case HowVolume:
		volume(secret, "", mounted)
		want[name] = "volume k"
	case HowSubPath:
		volume(secret, "f", true)
		want[name] = "subPath k"
	case HowProjected:
		volume(corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{Secret: &corev1.SecretProjection{LocalObjectReference: local}}}}}, "", mounted)
		want[name] = "projected "
	case HowCSI:
		volume(corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "d", NodePublishSecretRef: &local}}, "", mounted)
		want[name] = "csi "
	case HowDriver:
		volume(corev1.VolumeSource{RBD: &corev1.RBDVolumeSource{SecretRef: &local}}, "", mounted)
		want[name] = "volume driver "
	default:
		spec.ImagePullSecrets = append(spec.ImagePullSecrets, local)
		want[name] = "pull secret "
	}
}
