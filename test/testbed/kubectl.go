package testbed

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Kubectl runs the real kubectl as administrator and returns what it printed. Values belong into stdin, which may be
// empty: arguments are seen by the whole machine. The error carries what it wrote to standard error.
func (c *ControlPlane) Kubectl(ctx context.Context, stdin string, args ...string) (stdout string, err error) {
	return c.runKubectl(ctx, c.Kubeconfig, stdin, args)
}

// KubectlAs is Kubectl with another bearer token, such as a ServiceAccount's.
func (c *ControlPlane) KubectlAs(ctx context.Context, token, stdin string, args ...string) (stdout string, err error) {
	folder, err := os.MkdirTemp(c.Dir, "as-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(folder)
	kubeconfig := filepath.Join(folder, "kubeconfig")
	if err := c.writeKubeconfig(kubeconfig, token); err != nil {
		return "", err
	}
	return c.runKubectl(ctx, kubeconfig, stdin, args)
}

func (c *ControlPlane) runKubectl(ctx context.Context, kubeconfig, stdin string, args []string) (string, error) {
	cmd := exec.CommandContext(ctx, c.kubectl, args...)
	cmd.Env = []string{"KUBECONFIG=" + kubeconfig, "HOME=" + c.Dir, "PATH=/usr/bin:/bin"}
	return runClient(cmd, stdin, "kubectl "+strings.Join(args, " "))
}

// runClient runs a client program to its end.
func runClient(cmd *exec.Cmd, stdin, what string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s: %w: %s", what, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// writeKubeconfig writes a kubeconfig for token; JSON is YAML.
func (c *ControlPlane) writeKubeconfig(path, token string) error {
	type named map[string]any
	b, err := json.Marshal(named{
		"apiVersion": "v1", "kind": "Config", "current-context": c.Name,
		"clusters": []named{{"name": c.Name, "cluster": named{
			"server": c.URL, "certificate-authority-data": base64.StdEncoding.EncodeToString(c.CAPEM),
		}}},
		"users":    []named{{"name": "token", "user": named{"token": token}}},
		"contexts": []named{{"name": c.Name, "context": named{"cluster": c.Name, "user": "token"}}},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}
