package testbed

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/keyturn/keyturn/internal/fault"
)

// Annotations of a pod, and so of a pod template, by which a test has its pods fare badly. They act only on control planes
// with Nodes.
const (
	// Waits keeps every container of the pod waiting, for the reason that is its value, such as ImagePullBackOff.
	Waits = "testbed.keyturn.dev/waits"
	// Lingers keeps a deleted pod terminating until the annotation is taken away.
	Lingers = "testbed.keyturn.dev/lingers"
)

//go:embed stages.yaml
var badDays []byte

// kwokStages are the files of kwok's module that say how its nodes and pods become ready, complete and go.
var kwokStages = []string{
	"node/fast/node-initialize.yaml", "pod/fast/pod-ready.yaml", "pod/fast/pod-complete.yaml", "pod/fast/pod-delete.yaml",
}

// startNodes makes n nodes and starts the scheduler and kwok, which plays their kubelets and has ports of pods lead to
// where they are said to. When it returns the nodes are ready.
func (c *ControlPlane) startNodes(ctx context.Context, n int, ports []PodPort) error {
	scheduler, err := kubeBin("kube-scheduler")
	if err != nil {
		return err
	}
	kwok, err := kubeBin("kwok")
	if err != nil {
		return err
	}
	files, err := c.kwokFiles(ctx, ports)
	if err != nil {
		return err
	}
	var nodes strings.Builder
	for i := range n {
		fmt.Fprintf(&nodes, "---\n{apiVersion: v1, kind: Node, metadata: {name: node-%d}}\n", i+1)
	}
	if _, err := c.Kubectl(ctx, nodes.String(), "create", "-f", "-"); err != nil {
		return fmt.Errorf("make nodes: %w", err)
	}
	if err := onFreePorts(1, func(ports []int) error { return c.startScheduler(ctx, scheduler, ports[0]) }); err != nil {
		return err
	}
	return onFreePorts(1, func(ports []int) error {
		serving, done := httpProbe(c.tls, fmt.Sprintf("https://127.0.0.1:%d/healthz", ports[0]), "")
		defer done()
		c.kwok.spec = spec{
			name: "kwok", path: kwok, dir: c.dir.path, log: c.dir.file("kwok.log"), env: []string{"HOME=" + c.dir.path},
			args: []string{
				"--kubeconfig=" + c.Kubeconfig, "--manage-all-nodes", "--config=" + strings.Join(files, ","), "--node-ip=127.0.0.1",
				fmt.Sprintf("--node-port=%d", ports[0]), fmt.Sprintf("--server-address=127.0.0.1:%d", ports[0]),
				"--tls-cert-file=" + c.dir.file("srv.crt"), "--tls-private-key-file=" + c.dir.file("srv.key"),
				// Without leases the controller manager takes the nodes for dead after a minute, and they come back without addresses.
				"--node-lease-duration-seconds=40",
			},
			ready: func(ctx context.Context) error { return errors.Join(serving(ctx), c.nodesReady(ctx, n)) },
		}
		return c.kwok.start(ctx)
	})
}

func (c *ControlPlane) startScheduler(ctx context.Context, bin string, port int) error {
	ready, done := httpProbe(c.tls, fmt.Sprintf("https://127.0.0.1:%d/healthz", port), "")
	defer done()
	f := c.dir.file
	c.scheduler.spec = spec{
		name: "kube-scheduler", path: bin, dir: c.dir.path, log: f("scheduler.log"), ready: ready, env: []string{"HOME=" + c.dir.path},
		args: []string{
			"--kubeconfig=" + c.Kubeconfig, "--leader-elect=false", "--authentication-skip-lookup",
			"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
			"--tls-cert-file=" + f("srv.crt"), "--tls-private-key-file=" + f("srv.key"),
			"--kube-api-qps=200", "--kube-api-burst=400",
		},
	}
	return c.scheduler.start(ctx)
}

// kwokFiles returns the paths of kwok's own stages, of ours, and of where ports lead to.
func (c *ControlPlane) kwokFiles(ctx context.Context, ports []PodPort) ([]string, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok")
	list.Dir = filepath.Join(root, "tools", "kube")
	module, err := runClient(list, "", "find kwok's module")
	if err != nil {
		return nil, err
	}
	module = strings.TrimSpace(module)
	if module == "" {
		return nil, fault.New(fault.NotFound, "kwok's module is not on this machine").WithCure("run `make kube`")
	}
	files := make([]string, 0, len(kwokStages)+2)
	for _, name := range kwokStages {
		files = append(files, filepath.Join(module, "kustomize", "stage", name))
	}
	forwards, err := forwards(ports)
	if err != nil {
		return nil, err
	}
	files = append(files, c.dir.file("stages.yaml"), c.dir.file("forwards.yaml"))
	return files, writeFiles(c.dir, map[string][]byte{"stages.yaml": badDays, "forwards.yaml": forwards})
}

// forwards is ports as kwok reads them; JSON is YAML.
func forwards(ports []PodPort) ([]byte, error) {
	type object map[string]any
	var out bytes.Buffer
	for i, p := range ports {
		selector := object{"matchNamespaces": []string{p.Namespace}}
		if p.Pod != "" {
			selector["matchNames"] = []string{p.Pod}
		}
		forward := object{"ports": []int{p.Port}, "target": object{"address": "127.0.0.1", "port": p.To}}
		b, err := json.Marshal(object{
			"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "ClusterPortForward", "metadata": object{"name": fmt.Sprintf("port-%d", i+1)},
			"spec": object{"selector": selector, "forwards": []object{forward}},
		})
		if err != nil {
			return nil, err
		}
		out.WriteString("---\n" + string(b) + "\n")
	}
	return out.Bytes(), nil
}

// nodesReady fails unless n nodes are ready.
func (c *ControlPlane) nodesReady(ctx context.Context, n int) error {
	transport := &http.Transport{TLSClientConfig: c.tls}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+"/api/v1/nodes", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.AdminToken)
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var list struct {
		Items []struct {
			Spec   struct{ Taints []struct{ Key string } }
			Status struct {
				Conditions []struct{ Type, Status string }
			}
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil {
		return err
	}
	ready := 0
	for _, node := range list.Items {
		for _, cond := range node.Status.Conditions {
			if cond.Type == "Ready" && cond.Status == "True" && len(node.Spec.Taints) == 0 {
				ready++
			}
		}
	}
	if ready < n {
		return fmt.Errorf("%d of %d nodes are ready", ready, n)
	}
	return nil
}
