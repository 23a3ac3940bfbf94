package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"

	"github.com/keyturn/keyturn/internal/fault"
)

// Codes of faults on the way to a port of a pod.
const (
	codePodNotReady = "cluster-pod-not-ready"
	codePortRefused = "cluster-port-refused"
	codeNoService   = "cluster-service-gone"
	codeNoPod       = "cluster-pod-gone"
)

// portProtocol is the one version of the port-forward protocol that there is.
const portProtocol = "portforward.k8s.io"

// Inside is a place inside a cluster: a port of a pod, or of a service, which stands for one of its ready pods.
type Inside struct {
	Namespace string
	// Service or Pod is the object's name; exactly one is set.
	Service, Pod string
	// Port is a service's own port, or one of the pod's containers.
	Port int
}

// what names the place in faults.
func (p Inside) what() string {
	return "reach port " + strconv.Itoa(p.Port) + " of " + cmp.Or(p.Service, p.Pod) + " in namespace " + p.Namespace
}

// DialInside opens a connection to a port inside the cluster, through the API server and with the connector's rights; no
// port is opened on this machine. ctx bounds the dialling only. It fails with fault.NotFound when there is no such pod or
// service, with fault.Denied when the connector lacks a right, and with fault.Unavailable when no pod is ready or the API
// server did not answer. That nothing listens on the pod's port shows as an error of the first read, also a fault.
//
// The connection may be read, written and closed by several goroutines at once, has deadlines, and a CloseWrite that ends
// one direction.
func (c *Conn) DialInside(ctx context.Context, to Inside) (net.Conn, error) {
	pod, port, err := c.podOf(ctx, to)
	if err != nil {
		return nil, err
	}
	url := c.typed.CoreV1().RESTClient().Post().Namespace(to.Namespace).Resource("pods").Name(pod).SubResource("portforward").URL()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url.String(), nil)
	if err != nil {
		return nil, apiFault(err, to.what())
	}
	req.Header.Set(httpstream.HeaderConnection, httpstream.HeaderUpgrade)
	req.Header.Set(httpstream.HeaderUpgrade, spdy.HeaderSpdy31)
	req.Header.Set(httpstream.HeaderProtocolVersion, portProtocol)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, apiFault(err, to.what())
	}
	way, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != http.StatusSwitchingProtocols || !ok {
		return nil, c.faultOf(ctx, refusalOf(resp), to.what())
	}
	conn, err := openPort(ctx, way, port, to)
	if err != nil {
		return nil, apiFault(err, to.what())
	}
	return conn, nil
}

// refusalOf is the API server's answer to a request that it did not upgrade, and closes it.
func refusalOf(resp *http.Response) error {
	defer func() { _ = resp.Body.Close() }()
	status := &metav1.Status{}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil || json.Unmarshal(body, status) != nil || status.Kind != "Status" {
		status = &metav1.Status{Status: metav1.StatusFailure, Code: int32(resp.StatusCode)}
	}
	return apierrors.FromObject(status)
}

// openPort opens the pair of streams that one connection to a port consists of. It takes way over.
func openPort(ctx context.Context, way io.ReadWriteCloser, port int, to Inside) (*portConn, error) {
	session, err := spdy.NewClientConnection(upgraded{way})
	if err != nil {
		return nil, err // which has closed way
	}
	stop := context.AfterFunc(ctx, func() { _ = session.Close() })
	defer stop()
	headers := http.Header{"port": {strconv.Itoa(port)}, "requestID": {"0"}}
	stream := func(kind string) (s httpstream.Stream, err error) {
		headers.Set("streamType", kind)
		return session.CreateStream(headers)
	}
	failures, err := stream("error")
	if err == nil {
		_ = failures.Close() // it is only read
		var data httpstream.Stream
		if data, err = stream("data"); err == nil {
			return newPortConn(session, data, failures, to), nil
		}
	}
	_ = session.Close()
	return nil, cmp.Or(ctx.Err(), error(fault.New(fault.Unavailable, "the API server opened no stream").
		WithCode("cluster-unreachable").WithCure("look whether the pod's node answers, then try again")))
}

// podOf finds the pod that stands for the place, and the port of its container.
func (c *Conn) podOf(ctx context.Context, to Inside) (string, int, error) {
	if to.Service != "" {
		return c.podOfService(ctx, to)
	}
	pod, err := c.typed.CoreV1().Pods(to.Namespace).Get(ctx, to.Pod, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", 0, fault.New(fault.NotFound, "%s: there is no such pod", to.what()).WithCode(codeNoPod).
			WithCure("name a pod that is there, or the service that leads to it")
	}
	if err != nil {
		return "", 0, c.faultOf(ctx, err, to.what())
	}
	if pod.Status.Phase != "Running" || pod.DeletionTimestamp != nil {
		return "", 0, fault.New(fault.Unavailable, "%s: the pod does not run", to.what()).WithCode(codePodNotReady).
			WithCure("look at the pod, then try again")
	}
	return pod.Name, to.Port, nil
}

// podOfService finds a ready pod behind a service, and the port that the service's leads to there.
func (c *Conn) podOfService(ctx context.Context, to Inside) (string, int, error) {
	service, err := c.typed.CoreV1().Services(to.Namespace).Get(ctx, to.Service, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", 0, fault.New(fault.NotFound, "%s: there is no such service", to.what()).WithCode(codeNoService).
			WithCure("name a service that is there, or a pod")
	}
	if err != nil {
		return "", 0, c.faultOf(ctx, err, to.what())
	}
	name, found := "", false
	for _, p := range service.Spec.Ports {
		if int(p.Port) == to.Port && cmp.Or(p.Protocol, "TCP") == "TCP" {
			name, found = p.Name, true
		}
	}
	if !found {
		return "", 0, fault.New(fault.Invalid, "%s: the service has no such port", to.what()).WithCode(codeNoService).WithField("port").
			WithCure("give one of the service's own TCP ports")
	}
	slices, err := c.typed.DiscoveryV1().EndpointSlices(to.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + to.Service})
	if err != nil {
		return "", 0, c.faultOf(ctx, err, to.what())
	}
	for _, s := range slices.Items {
		for _, p := range s.Ports {
			if p.Port == nil || value(p.Name) != name || cmp.Or(value(p.Protocol), "TCP") != "TCP" {
				continue
			}
			for _, e := range s.Endpoints {
				ready := e.Conditions.Ready == nil || *e.Conditions.Ready
				if ready && e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
					return e.TargetRef.Name, int(*p.Port), nil
				}
			}
		}
	}
	return "", 0, fault.New(fault.Unavailable, "%s: no pod behind the service is ready", to.what()).WithCode(codePodNotReady).
		WithCure("look at the service's pods, then try again")
}

// value is what p points to, or the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
