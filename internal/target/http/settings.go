package http

import (
	"crypto/tls"
	"encoding/json"
	"net"
	nethttp "net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/dial"
)

// Names of the settings of a resource.
const (
	fieldMode     = "mode"
	fieldPath     = "path"
	fieldResource = "resource"

	fieldMethod   = "method"
	fieldHeaders  = "headers"
	fieldBody     = "body"
	fieldChanged  = "changed"
	fieldRejected = "rejected"

	fieldRehearsePath = "rehearse_path"
	fieldVerifyPath   = "verify_path"
	fieldVerifyMethod = "verify_method"
	fieldVerifyAuth   = "verify_auth"
	fieldAccepted     = "verify_accepted"
	fieldRefused      = "verify_refused"
)

const (
	modeWebhook = "webhook"
	modeRequest = "request"
	authBasic   = "basic"
	authBearer  = "bearer"
)

func fields() []target.Field {
	yesNo := []string{"no", "yes"}
	return []target.Field{
		{Name: dial.Host, Label: "Host", Help: "DNS name or IP address.", Required: true, Kind: target.KindHost},
		{Name: dial.Port, Label: "Port", Default: "443", Kind: target.KindPort},
		{Name: fieldMode, Label: "How", Help: "webhook: a signed message to a program that is written for it. request: the request that is described below.", Default: modeWebhook, Kind: target.KindChoice, Options: []string{modeWebhook, modeRequest}},
		{Name: fieldPath, Label: "Path", Help: "Where a change goes to, such as /hooks/keyturn or /api/users/{{account|percent}}/password.", Required: true, Kind: target.KindText},
		{Name: fieldVerifyPath, Label: "Path to verify at", Help: "Empty means that no login can be proved.", Kind: target.KindText},
		{Name: fieldRehearsePath, Label: "Path to rehearse at", Help: "Where the system says, and changes nothing, whether it would make a change: by the event credential.rehearse, or by a GET with the request's headers. Empty means that it cannot tell.", Kind: target.KindText},
		{Name: fieldResource, Label: "Name in the webhook", Help: "What the webhook calls this resource.", Kind: target.KindText},
		{Name: fieldMethod, Label: "Request: method", Default: nethttp.MethodPost, Kind: target.KindChoice, Options: []string{nethttp.MethodPost, nethttp.MethodPut, nethttp.MethodPatch}},
		{Name: fieldHeaders, Label: "Request: headers", Help: `A JSON object: {"Authorization": "Basic {{basic}}", "Content-Type": "application/json"}.`, Kind: target.KindText},
		{Name: fieldBody, Label: "Request: body", Help: `{"password": "{{value|json}}"} for instance. There are account, value, old, login and token, each with an encoding: json, form, percent, base64 or text.`, Kind: target.KindText},
		{Name: fieldChanged, Label: "Request: changed", Help: "The statuses of an answer that say so.", Default: "2xx", Kind: target.KindText},
		{Name: fieldRejected, Label: "Request: rejected", Help: "The statuses that say that another value may pass.", Default: "409, 422", Kind: target.KindText},
		{Name: fieldVerifyMethod, Label: "Request to verify: method", Default: nethttp.MethodGet, Kind: target.KindChoice, Options: []string{nethttp.MethodGet, nethttp.MethodHead, nethttp.MethodPost}},
		{Name: fieldVerifyAuth, Label: "Request to verify: login", Help: "basic: name and value. bearer: the value alone.", Default: authBasic, Kind: target.KindChoice, Options: []string{authBasic, authBearer}},
		{Name: fieldAccepted, Label: "Verified: accepted", Help: "The statuses that prove the value.", Default: "2xx", Kind: target.KindText},
		{Name: fieldRefused, Label: "Verified: refused", Help: "The statuses that say that the value is wrong.", Default: "401", Kind: target.KindText},
		{Name: dial.Mode, Label: "TLS", Help: "Off is for loopback addresses alone, with the acceptance below.", Default: "verify", Kind: target.KindChoice, Options: []string{"verify", "off"}},
		{Name: dial.CA, Label: "CA certificates", Help: "PEM; empty means those of the machine that Keyturn runs on.", Kind: target.KindPEM},
		{Name: dial.Name, Label: "Certificate name", Help: "The name in the server's certificate, where it is not the host.", Kind: target.KindHost},
		{Name: dial.Plaintext, Label: "I accept a loopback connection without TLS", Help: "Each request sends its value in the open to whatever listens there.", Default: "no", Kind: target.KindChoice, Options: yesNo},
	}
}

// settings are those of a resource, read and checked.
type settings struct {
	addr, scheme, host string
	tls                *tls.Config // nil without TLS
	webhook            bool
	resource           string
	method             string
	path, body         template
	headers            map[string]template
	changed, rejected  statuses
	verify             verifySettings
	rehearse           template // nil: there is no way
}

type verifySettings struct {
	path              template // nil: there is no way
	method, auth      string
	accepted, refused statuses
}

// read fails with Misconfigured.
func (t *Target) read(c target.Connection) (s settings, err error) {
	if err := t.Spec().Check(c); err != nil {
		return s, misconfigured(err.Error(), "")
	}
	get := func(name string) string { return c.Get(fields(), name) }
	s = settings{addr: net.JoinHostPort(get(dial.Host), get(dial.Port)), scheme: "https", webhook: get(fieldMode) == modeWebhook, resource: get(fieldResource), method: get(fieldMethod)}
	s.verify.method, s.verify.auth = get(fieldVerifyMethod), get(fieldVerifyAuth)
	s.host = s.addr
	if s.tls, err = dial.StrictTLS(get, "use TLS"); err != nil {
		return s, err
	}
	if s.tls == nil {
		s.scheme = "http"
	}
	if s.path, err = parsePath(get(fieldPath)); err != nil {
		return s, err
	}
	if p := get(fieldVerifyPath); p != "" {
		if s.verify.path, err = parsePath(p); err != nil {
			return s, err
		}
	}
	if p := get(fieldRehearsePath); p != "" {
		if s.rehearse, err = parsePath(p); err != nil {
			return s, err
		}
	}
	if s.webhook {
		s.method, s.verify.method, s.verify.auth = nethttp.MethodPost, nethttp.MethodPost, ""
	}
	if s.body, err = parseTemplate(get(fieldBody)); err != nil {
		return s, err
	}
	if s.headers, err = parseHeaders(get(fieldHeaders)); err != nil {
		return s, err
	}
	for name, to := range map[string]*statuses{fieldChanged: &s.changed, fieldRejected: &s.rejected, fieldAccepted: &s.verify.accepted, fieldRefused: &s.verify.refused} {
		text := get(name)
		if s.webhook { // its answers are settled
			text = target.Connection{}.Get(fields(), name)
		}
		if *to, err = parseStatuses(text); err != nil {
			return s, err
		}
	}
	return s, nil
}

// visibleOnly reports whether the value of an account has to stand somewhere as it is.
func (s settings) visibleOnly() bool {
	asText := func(p part) bool { return p.name == "value" && p.encoding == "text" }
	for _, t := range s.headers {
		if slices.ContainsFunc(t, asText) {
			return true
		}
	}
	return slices.ContainsFunc(s.body, asText) || s.verify.path != nil && s.verify.auth == authBearer
}

// reserved are the headers that are not the settings' to give.
var reserved = []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Te", "Trailer", "Expect"}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

func parseHeaders(text string) (map[string]template, error) {
	if text == "" {
		return nil, nil
	}
	var given map[string]string
	if json.Unmarshal([]byte(text), &given) != nil {
		return nil, misconfigured("the headers are no JSON object of texts", `write them like {"Content-Type": "application/json"}`)
	}
	out := map[string]template{}
	for name, text := range given {
		if !headerName.MatchString(name) || strings.ContainsFunc(text, unicode.IsControl) || slices.Contains(reserved, nethttp.CanonicalHeaderKey(name)) {
			return nil, misconfigured("a header has a name or a value that a request cannot have", "look at the headers in the resource's settings")
		}
		t, err := parseTemplate(text)
		if err != nil {
			return nil, err
		}
		out[name] = t
	}
	return out, nil
}

// statuses is a set of statuses of answers; one below 10 stands for its hundred.
type statuses []int

func parseStatuses(text string) (statuses, error) {
	var out statuses
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		class, isClass := strings.CutSuffix(word, "xx")
		n, err := strconv.Atoi(class)
		if err != nil || isClass && (n < 2 || n > 5) || !isClass && (n < 200 || n > 599) {
			return nil, misconfigured("a list of statuses cannot be read", "write it like 200, 204 or 2xx")
		}
		out = append(out, n)
	}
	return out, nil
}

func (s statuses) has(status int) bool {
	return slices.Contains(s, status) || slices.Contains(s, status/100)
}
