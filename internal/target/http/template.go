package http

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

// template is text with places for names and values, each with how it is encoded.
type template []part

// part is a text or, where name is set, a place.
type part struct{ text, name, encoding string }

var place = regexp.MustCompile(`\{\{([a-z]+)(?:\|([a-z0-9]+))?\}\}`)

// What places there are. Those of secret are in no URL.
var (
	public    = []string{"account", "login"}
	secret    = []string{"value", "old", "token"}
	encodings = []string{"json", "form", "percent", "base64", "text"}
)

// basicPlace is the Base64 of login, colon and token, as in the header Authorization. It has no other encoding.
const basicPlace = "basic"

func parseTemplate(text string) (template, error) {
	t := template{}
	at := 0
	plain := func(s string) error {
		if strings.Contains(s, "{{") {
			return misconfigured("a template has braces that are none of its places", "write {{name|encoding}}")
		}
		t = append(t, part{text: s})
		return nil
	}
	for _, m := range place.FindAllStringSubmatchIndex(text, -1) {
		if err := plain(text[at:m[0]]); err != nil {
			return nil, err
		}
		p := part{name: text[m[2]:m[3]]}
		if m[4] >= 0 {
			p.encoding = text[m[4]:m[5]]
		}
		known := slices.Contains(public, p.name) || slices.Contains(secret, p.name)
		if p.name == basicPlace && p.encoding != "" || p.name != basicPlace && (!known || !slices.Contains(encodings, p.encoding)) {
			return nil, misconfigured("a template has a place that there is not, or one without an encoding", "there are account, value, old, login and token, each with json, form, percent, base64 or text, and {{basic}}")
		}
		t, at = append(t, p), m[1]
	}
	return t, plain(text[at:])
}

// parsePath reads the path and query of a URL, in which nothing secret may stand and names only percent-encoded.
func parsePath(text string) (template, error) {
	t, err := parseTemplate(text)
	if err != nil {
		return nil, err
	}
	for _, p := range t {
		if p.name != "" && (!slices.Contains(public, p.name) || p.encoding != "percent") {
			return nil, misconfigured("a path has a place for a secret, or one that is not percent-encoded", "a path takes {{account|percent}} and {{login|percent}}, as servers log it; values go into body and headers")
		}
	}
	if u, err := url.ParseRequestURI(place.ReplaceAllString(text, "x")); err != nil || !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") || u.Fragment != "" || strings.ContainsAny(text, "# \\") {
		return nil, misconfigured("a path cannot be read", "begin it with one slash, and percent-encode what is not plain")
	}
	return t, nil
}

// values are what stands in the places.
type values struct {
	account    string
	login      target.Login
	value, old vault.Value
}

// render fills the places. It fails with Misconfigured where there is nothing to fill in, or nothing that can stand there.
func (t template) render(v values) ([]byte, error) {
	var out []byte
	for _, p := range t {
		if p.name == "" {
			out = append(out, p.text...)
			continue
		}
		err := v.expose(p.name, func(b []byte) error {
			if len(b) == 0 {
				return misconfigured("a template asks for the old value, which only an account that changes itself is asked for", "leave {{old}} out, or give the resource no reconcile login")
			}
			encoded, err := encode(p.encoding, b)
			out = append(out, encoded...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (v values) expose(name string, f func([]byte) error) error {
	switch name {
	case "account":
		return f([]byte(v.account))
	case "login":
		return f([]byte(v.login.User))
	case "token":
		return v.login.Password.Expose(f)
	case "value":
		return v.value.Expose(f)
	case "old":
		return v.old.Expose(f)
	default:
		text, err := basic(v.login)
		if err != nil {
			return err
		}
		return f(text)
	}
}

func encode(encoding string, b []byte) ([]byte, error) {
	switch encoding {
	case "json": // what stands between the quotes
		text, err := json.Marshal(string(b))
		if err != nil {
			return nil, misconfigured("a value cannot be written as JSON", "")
		}
		return text[1 : len(text)-1], nil
	case "form":
		return []byte(url.QueryEscape(string(b))), nil
	case "percent": // a space is %20 in paths and in bodies
		if string(b) == "." || string(b) == ".." { // no encoding keeps these from meaning another path
			return nil, misconfigured("a name of dots alone cannot stand in a path", "correct the name")
		}
		return []byte(strings.ReplaceAll(url.QueryEscape(string(b)), "+", "%20")), nil
	case "base64":
		return []byte(base64.StdEncoding.EncodeToString(b)), nil
	case "text":
		if !visible(vault.NewValue(b)) {
			return nil, misconfigured("a name or a value has characters that cannot stand as they are", "choose another encoding, or a value of visible ASCII")
		}
	}
	return b, nil
}

// basic is what the scheme Basic sends.
func basic(l target.Login) (text []byte, err error) {
	if strings.Contains(l.User, ":") {
		return nil, misconfigured("a name with a colon cannot log in by Basic", "correct the name, or use another way")
	}
	err = l.Password.Expose(func(b []byte) error {
		text = []byte(base64.StdEncoding.EncodeToString(append([]byte(l.User+":"), b...)))
		return nil
	})
	return text, err
}

// visible reports whether v is of printable ASCII without the space, and so can stand in a header and in a plain text.
func visible(v vault.Value) bool {
	ok := true
	_ = v.Expose(func(b []byte) error {
		ok = !slices.ContainsFunc(b, func(c byte) bool { return c <= ' ' || c > '~' })
		return nil
	})
	return ok
}
