package kube

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	authn "k8s.io/api/authentication/v1"
	authz "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"golang.org/x/sync/errgroup"

	"github.com/keyturn/keyturn/internal/fault"
)

// State is how far a step came.
type State string

// The states of a step.
const (
	Done   State = "done"
	Failed State = "failed"
	ToDo   State = "to do" // not reached, because an earlier step failed
)

// Step is one thing that was looked at. Cause, Cure and Code are set when it failed.
type Step struct {
	Name              string
	State             State
	Detail            string
	Code, Cause, Cure string
}

// Certificate is one of the chain that a server presented.
type Certificate struct {
	Subject, Issuer, SHA256, PEM string
	NotAfter                     time.Time
}

// Report is the outcome of the three checks.
type Report struct {
	Host, API, Token         []Step
	Chain                    []Certificate // only when it was not trusted
	Version, User, ClusterID string        // ClusterID is the uid of namespace kube-system
	Missing                  []Right
}

// OK reports whether every step is done.
func (r Report) OK() bool {
	for _, check := range [][]Step{r.Host, r.API, r.Token} {
		for _, s := range check {
			if s.State != Done {
				return false
			}
		}
	}
	return true
}

// Check looks at a cluster step by step and stops at the first that fails; the token is not sent before the server's
// certificate was verified. The token may be raw or base64. It takes at most about half a minute.
func Check(ctx context.Context, cfg Config, scope Scope) Report {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r := Report{Host: todo("url", "dns", "address", "tcp", "certificate"), API: todo("version"), Token: todo("token", "identity", "rights", "cluster-id")}
	if cfg.ShortTokens {
		r.Token = append(r.Token, Step{Name: "short-token", State: ToDo})
	}
	server, ok := r.checkHost(ctx, cfg)
	if !ok {
		return r
	}
	anon := cfg
	anon.Server = server.String()
	token, tokenErr := NormaliseToken(cfg.Token)
	anon.Token = token
	conn, err := Dial(anon)
	if err != nil {
		r.API[0].fail(err)
		return r
	}
	defer conn.Close()
	if r.Version, err = conn.ServerVersion(anonymous(ctx)); errors.Is(err, fault.Denied) && tokenErr == nil {
		r.Version, err = conn.ServerVersion(ctx)
	}
	// A refusal in the API's own words still proves an API server: the token's step says what is wrong with it.
	if err != nil && !errors.Is(err, fault.Denied) {
		r.API[0].fail(err)
		return r
	}
	r.API[0].done(r.Version)
	if tokenErr != nil {
		r.Token[0].fail(tokenErr)
		return r
	}
	r.Token[0].done("")
	r.checkToken(ctx, conn, anon, scope)
	return r
}

func todo(names ...string) []Step {
	out := make([]Step, len(names))
	for i, n := range names {
		out[i] = Step{Name: n, State: ToDo}
	}
	return out
}

func (s *Step) done(detail string) { s.State, s.Detail = Done, detail }

func (s *Step) fail(err error) {
	s.State, s.Code, s.Cause = Failed, "internal", "the check could not be carried out"
	if f, ok := errors.AsType[*fault.Error](err); ok {
		s.Code, s.Cause, s.Cure = f.Code, f.Msg, f.Cure
	}
}

func (s *Step) failed(code, cause, cure string) {
	s.State, s.Code, s.Cause, s.Cure = Failed, code, cause, cure
}

func (r *Report) checkHost(ctx context.Context, cfg Config) (*url.URL, bool) {
	u, err := parseServer(cfg.Server)
	if err != nil {
		r.Host[0].fail(err)
		return nil, false
	}
	r.Host[0].done(u.String())
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil || len(addrs) == 0 {
		r.Host[1].failed("cluster-dns", "the host's name has no address", "correct the name, or this machine's DNS")
		return nil, false
	}
	r.Host[1].done(shown(addrs))
	for _, a := range addrs {
		if why := cfg.refuses(a); why != "" {
			r.Host[2].failed("cluster-address-refused", (&refusedAddress{a, why}).Error(),
				"use another address, or have it allowed in the configuration")
			return nil, false
		}
	}
	r.Host[2].done("")
	port := u.Port()
	if port == "" {
		port = "443"
	}
	start := time.Now()
	conn, err := dialFirst(ctx, cfg.dialer(), addrs, port)
	if err != nil {
		r.Host[3].failed("cluster-unreachable", "no TCP connection to port "+port, "check the port, the firewall, and that the API server runs")
		return nil, false
	}
	defer func() { _ = conn.Close() }()
	r.Host[3].done(fmt.Sprintf("%d ms", time.Since(start).Milliseconds()))
	return u, r.checkCertificate(ctx, cfg, conn, strings.TrimSuffix(u.Hostname(), "."))
}

// shown lists addresses as people write them.
func shown(addrs []netip.Addr) string {
	out := make([]string, len(addrs))
	for i, a := range addrs {
		out[i] = a.Unmap().String()
	}
	return strings.Join(out, ", ")
}

func dialFirst(ctx context.Context, d *net.Dialer, addrs []netip.Addr, port string) (conn net.Conn, err error) {
	for _, a := range addrs {
		if conn, err = d.DialContext(ctx, "tcp", net.JoinHostPort(a.Unmap().String(), port)); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

func (r *Report) checkCertificate(ctx context.Context, cfg Config, conn net.Conn, host string) bool {
	step := &r.Host[4]
	roots, err := cfg.roots()
	if err != nil && len(cfg.CAPEM) > 0 {
		step.fail(err)
		return false
	}
	if err != nil {
		roots = x509.NewCertPool() // nothing is trusted yet: the handshake fails and shows the chain to import
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err = tls.Client(conn, tlsConfig(roots, host)).HandshakeContext(ctx)
	if err == nil {
		step.done("")
		return true
	}
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok && string(record.RecordHeader[:]) == "HTTP/" {
		step.failed("cluster-plain-http", "the server speaks plain HTTP", "give the port on which it speaks HTTPS")
		return false
	}
	untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err)
	if !ok {
		step.failed("cluster-tls", "the server did not complete a TLS handshake (1.2 or newer)", "check that the port is the API server's")
		return false
	}
	for _, c := range untrusted.UnverifiedCertificates {
		sum := sha256.Sum256(c.Raw)
		r.Chain = append(r.Chain, Certificate{Subject: c.Subject.String(), Issuer: c.Issuer.String(), NotAfter: c.NotAfter.UTC(),
			SHA256: hex.EncodeToString(sum[:]), PEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))})
	}
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	_, wrongName := errors.AsType[x509.HostnameError](err)
	switch {
	case isInvalid && invalid.Reason == x509.Expired:
		step.failed("cluster-certificate-expired", "the server's certificate is expired or not yet valid", "renew it, or set the clocks right")
	case wrongName:
		step.failed("cluster-certificate-name", "the server's certificate is not for this host", "use a name that the certificate holds")
	default:
		step.failed("cluster-untrusted", "the server's certificate is not signed by the CA that was given",
			"compare the SHA-256 of the chain with the cluster's, then import its CA")
	}
	return false
}

func (r *Report) checkToken(ctx context.Context, c *Conn, cfg Config, scope Scope) {
	review, err := c.typed.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authn.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		err = apiFault(err, "ask who the token is")
		r.Token[1].fail(err)
		if f, ok := errors.AsType[*fault.Error](err); ok && f.Code == "cluster-token-refused" {
			r.Token[1].explain(cfg)
		}
		return
	}
	r.User = clip(review.Status.UserInfo.Username)
	r.Token[1].done(r.User)
	missing, err := c.missing(ctx, Needs(scope))
	if err != nil {
		r.Token[2].fail(err)
		return
	}
	r.Missing = missing
	if len(r.Missing) > 0 {
		r.Token[2].failed("cluster-rights-missing", fmt.Sprintf("the token lacks %d rights, first: %s", len(r.Missing), r.Missing[0]),
			"apply the manifest of what is missing")
		return
	}
	r.Token[2].done("")
	ns, err := c.typed.CoreV1().Namespaces().Get(ctx, "kube-system", metav1.GetOptions{})
	if err != nil {
		r.Token[3].fail(apiFault(err, "read namespace kube-system"))
		return
	}
	r.ClusterID = string(ns.UID)
	r.Token[3].done(r.ClusterID)
	if cfg.ShortTokens {
		r.Token[4].shortToken(c.Token())
	}
}

// CodeLongLived marks a step that is done with a warning: the connection works, but with its long-lived token.
const CodeLongLived = "cluster-token-long-lived"

func (s *Step) shortToken(t TokenState) {
	if t.Short {
		s.done(fmt.Sprintf("until %s, renewed from %s on", t.ExpiresAt.UTC().Format(time.RFC3339), t.RenewsAt.UTC().Format(time.RFC3339)))
		return
	}
	s.State, s.Code, s.Cause, s.Cure = Done, CodeLongLived, "the long-lived token is used: "+t.Warning, t.Cure
}

// explain says what the refused token says about itself.
func (s *Step) explain(cfg Config) {
	c, ok := readClaims(cfg.Token)
	switch {
	case ok && !c.ExpiresAt.IsZero() && c.ExpiresAt.Before(time.Now()):
		s.failed("token-expired", "the token expired at "+c.ExpiresAt.Format(time.RFC3339), "paste a new one")
	case ok:
		says := fmt.Sprintf("this cluster does not know the token, which says it is %s, issued by %s", c.Subject, c.Issuer)
		if len(c.Audience) > 0 { // that of a token Secret has none
			says += " for " + clip(strings.Join(c.Audience, ", "))
		}
		s.failed("token-foreign", says, "paste the token of this cluster, or apply the manifest again if its account was deleted")
	}
}

// missing asks for each right whether the token has it, a few at a time, and returns those that it lacks in order.
func (c *Conn) missing(ctx context.Context, needs []Right) ([]Right, error) {
	has := make([]bool, len(needs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i, n := range needs {
		g.Go(func() error {
			a, err := c.typed.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authz.SelfSubjectAccessReview{
				Spec: authz.SelfSubjectAccessReviewSpec{ResourceAttributes: n.attributes()}}, metav1.CreateOptions{})
			if err == nil {
				has[i] = a.Status.Allowed
			}
			return apiFault(err, "ask for rights")
		})
	}
	err := g.Wait()
	var out []Right
	for i, n := range needs {
		if !has[i] {
			out = append(out, n)
		}
	}
	return out, err
}

func (r Right) attributes() *authz.ResourceAttributes {
	return &authz.ResourceAttributes{Verb: r.Verb, Group: r.Group, Resource: r.Resource, Subresource: r.Subresource, Namespace: r.Namespace, Name: r.Name}
}
