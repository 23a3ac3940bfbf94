package testbed

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
)

// Options says how a control plane is started. The zero value is good.
type Options struct {
	// Name appears in certificates, the kubeconfig and errors. Empty: "kube".
	Name string
	// Dir is an empty or new folder for its files and logs, kept after Stop. Empty: a temporary one, removed by Stop.
	Dir string
	// Etcd is a shared one, which outlives the control plane. Nil: an own one.
	Etcd *Etcd
	// Prefix is the control plane's place in etcd. Control planes that share an etcd need different ones. Empty:
	// "/" and the name.
	Prefix string
	// APIServerArgs are added to the API server's flags and win over the ones set here.
	APIServerArgs []string
	// Nodes is how many nodes it has, named node-1 and so on, played by kwok: pods are scheduled there, become ready at
	// once and go when they are deleted, unless Waits or Lingers say otherwise. 0: none, and pods stay pending.
	Nodes int
	// Ports are where ports of pods lead to when they are forwarded. They need Nodes. A port that none of them names is one
	// that nothing listens on.
	Ports []PodPort
}

// PodPort lets a port of pods lead to a program on this machine, which plays the container.
type PodPort struct {
	// Namespace is that of the pods; Pod is one's name, and all of them when it is empty.
	Namespace, Pod string
	// Port is the one of the pods, To the one on 127.0.0.1.
	Port, To int
}

// ControlPlane is a running Kubernetes API server with RBAC and a controller manager: namespaces, ServiceAccount tokens,
// garbage collection and the workload controllers work. With Nodes it has a scheduler too and pods run, as far as any
// program sees from the API; no container does. Its methods are safe for concurrent use.
type ControlPlane struct {
	// Name is the one of its Options.
	Name string
	// URL is the API server's address, https on 127.0.0.1; it stays the same over restarts.
	URL string
	// CAPEM is the certificate authority that signed the API server's certificate, which names 127.0.0.1 and localhost.
	CAPEM []byte
	// AdminToken authenticates as a member of system:masters.
	AdminToken string
	// Kubeconfig is the path of a file with URL, CA and AdminToken.
	Kubeconfig string
	// Dir holds the logs apiserver.log and kcm.log, with Nodes scheduler.log and kwok.log too.
	Dir string

	dir     dir
	etcd    *Etcd
	ownEtcd bool
	tls     *tls.Config
	kubectl string
	api     spec

	mu      sync.Mutex // guards what follows
	apiProc *process
	kcm     follower
	// scheduler and kwok do not run without Nodes.
	scheduler, kwok follower
	stopped         bool
}

// follower is a server that watches the API server.
type follower struct {
	spec spec
	proc *process
}

func (f *follower) start(ctx context.Context) (err error) {
	f.proc, err = start(ctx, f.spec)
	return err
}

// StartControlPlane starts a control plane. When it returns the API server is ready and the controller manager has made
// the first ServiceAccount.
func StartControlPlane(ctx context.Context, o Options) (*ControlPlane, error) {
	if o.Name == "" {
		o.Name = "kube"
	}
	if o.Prefix == "" {
		o.Prefix = "/" + o.Name
	}
	d, err := openDir(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("start control plane %s: %w", o.Name, err)
	}
	c := &ControlPlane{Name: o.Name, Dir: d.path, Kubeconfig: d.file("kubeconfig"), AdminToken: rand.Text(), dir: d, etcd: o.Etcd}
	if err := c.start(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("start control plane %s: %w", o.Name, err), c.Stop())
	}
	return c, nil
}

func (c *ControlPlane) start(ctx context.Context, o Options) error {
	bins := map[string]string{"kube-apiserver": "", "kube-controller-manager": "", "kubectl": ""}
	for name := range bins {
		path, err := kubeBin(name)
		if err != nil {
			return err
		}
		bins[name] = path
	}
	c.kubectl = bins["kubectl"]
	if c.etcd == nil {
		var err error
		var at string
		if o.Dir != "" {
			at = c.dir.file("etcd")
		}
		if c.etcd, err = StartEtcd(ctx, EtcdOptions{Dir: at}); err != nil {
			return err
		}
		c.ownEtcd = true
	}
	if err := c.writeFiles(); err != nil {
		return err
	}
	if err := onFreePorts(1, func(ports []int) error { return c.startAPIServer(ctx, bins["kube-apiserver"], o, ports[0]) }); err != nil {
		return err
	}
	if err := c.writeKubeconfig(c.Kubeconfig, c.AdminToken); err != nil {
		return err
	}
	if o.Nodes == 0 {
		return c.startControllerManager(ctx, bins["kube-controller-manager"])
	}
	var nodesErr error
	var wg sync.WaitGroup
	wg.Go(func() { nodesErr = c.startNodes(ctx, o.Nodes, o.Ports) })
	err := c.startControllerManager(ctx, bins["kube-controller-manager"])
	wg.Wait()
	return errors.Join(err, nodesErr)
}

// writeFiles makes the certificates, the ServiceAccount key pair and the list of tokens.
func (c *ControlPlane) writeFiles() error {
	var err error
	if c.CAPEM, c.tls, err = tlsFiles(c.dir, c.Name); err != nil {
		return err
	}
	c.tls.Certificates = nil // the probes authenticate by token
	private, public, err := keyPair()
	if err != nil {
		return err
	}
	return writeFiles(c.dir, map[string][]byte{
		"sa.key": private, "sa.pub": public,
		"tokens.csv": []byte(c.AdminToken + `,admin,admin,"system:masters"` + "\n"),
	})
}

func (c *ControlPlane) startAPIServer(ctx context.Context, bin string, o Options, port int) error {
	c.URL = fmt.Sprintf("https://127.0.0.1:%d", port)
	ready, done := httpProbe(c.tls, c.URL+"/readyz", c.AdminToken)
	defer done()
	f := c.dir.file
	c.api = spec{
		name: "kube-apiserver", path: bin, dir: c.dir.path, log: f("apiserver.log"), ready: ready,
		env: []string{"HOME=" + c.dir.path},
		args: append([]string{
			"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
			"--tls-cert-file=" + f("srv.crt"), "--tls-private-key-file=" + f("srv.key"), "--client-ca-file=" + f("ca.crt"),
			"--etcd-servers=" + c.etcd.URL, "--etcd-prefix=" + o.Prefix, "--etcd-cafile=" + c.etcd.dir.file("ca.crt"),
			"--etcd-certfile=" + c.etcd.dir.file("srv.crt"), "--etcd-keyfile=" + c.etcd.dir.file("srv.key"),
			"--token-auth-file=" + f("tokens.csv"), "--authorization-mode=RBAC",
			"--service-account-issuer=https://kubernetes.default.svc",
			"--service-account-key-file=" + f("sa.pub"), "--service-account-signing-key-file=" + f("sa.key"),
			"--service-cluster-ip-range=10.96.0.0/16",
			// The nodes' names are nobody's on this machine.
			"--kubelet-preferred-address-types=InternalIP",
			// Kubernetes refuses endpoints on loopback, so the API server must not try to publish its own.
			"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
		}, o.APIServerArgs...),
	}
	var err error
	c.apiProc, err = start(ctx, c.api)
	return err
}

func (c *ControlPlane) startControllerManager(ctx context.Context, bin string) error {
	ready, done := httpProbe(c.tls, c.URL+"/api/v1/namespaces/default/serviceaccounts/default", c.AdminToken)
	defer done()
	f := c.dir.file
	c.kcm.spec = spec{
		name: "kube-controller-manager", path: bin, dir: c.dir.path, log: f("kcm.log"), ready: ready,
		env: []string{"HOME=" + c.dir.path},
		args: []string{
			"--kubeconfig=" + c.Kubeconfig, "--secure-port=0", "--leader-elect=false",
			"--service-account-private-key-file=" + f("sa.key"), "--root-ca-file=" + f("ca.crt"),
			"--use-service-account-credentials=false", "--kube-api-qps=200", "--kube-api-burst=400",
		},
	}
	return c.kcm.start(ctx)
}

// Stop ends kwok, the scheduler, the controller manager, the API server and an own etcd. It fails if one of them had ended by itself; an API
// server that KillAPIServer ended counts as stopped.
func (c *ControlPlane) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil
	}
	c.stopped = true
	errs := []error{c.kwok.proc.shutdown(), c.scheduler.proc.shutdown(), c.kcm.proc.shutdown(), c.apiProc.shutdown()}
	if c.ownEtcd {
		errs = append(errs, c.etcd.Stop())
	}
	return errors.Join(append(errs, c.dir.remove())...)
}

// KillAPIServer ends the API server at once, as a crash would. Clients see refused or broken connections until
// RestartAPIServer; what watches it keeps trying, less and less often.
func (c *ControlPlane) KillAPIServer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.apiProc.kill()
}

// RestartAPIServer stops the API server if it runs and starts it again on the same address, with the same data and keys.
// What watches it is started anew with it: each refusal doubles the time until the controller manager and kwok look again, to
// as much as a minute in which no token Secret is filled and no pod made; and the scheduler ends itself when it finds that a
// pod of the same name changed its node while it could not look, and here nobody else would start it again.
func (c *ControlPlane) RestartAPIServer(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return fmt.Errorf("restart control plane %s: it was stopped", c.Name)
	}
	followers := []*follower{&c.kwok, &c.scheduler, &c.kcm}
	var errs []error
	for _, f := range followers {
		errs = append(errs, f.proc.shutdown())
	}
	errs = append(errs, c.apiProc.shutdown())
	proc, err := start(ctx, c.api)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	c.apiProc = proc
	for _, f := range followers {
		if f.proc != nil {
			errs = append(errs, f.start(ctx))
		}
	}
	return errors.Join(errs...)
}

// Forget makes the API server forget every state but the present one, as it does of itself after minutes: a watch from an
// older one is refused. It is started anew for that.
func (c *ControlPlane) Forget(ctx context.Context) error {
	if err := c.etcd.Compact(ctx); err != nil {
		return err
	}
	return c.RestartAPIServer(ctx)
}

// PauseAPIServer freezes the API server: connections are accepted by the kernel and never answered. The returned
// function lets it go on and must be called before anything else is done with the control plane.
func (c *ControlPlane) PauseAPIServer() (resume func() error, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	pid := c.apiProc.pid
	if exited, _ := c.apiProc.exited(); exited {
		return nil, errors.New("pause: the API server does not run")
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return nil, fmt.Errorf("pause: %w", err)
	}
	return func() error { return syscall.Kill(pid, syscall.SIGCONT) }, nil
}

// Log returns the path of the log of one of its servers: "apiserver", "kcm", "scheduler" or "kwok".
func (c *ControlPlane) Log(server string) string { return filepath.Join(c.Dir, server+".log") }
