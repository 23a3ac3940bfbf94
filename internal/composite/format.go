package composite

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/keyturn/keyturn/internal/fault"
)

// Format names how a password stands in the value of a Secret's key. The names are stored with mappings: they stay.
type Format string

// The formats. docs/composite-values.md describes each.
const (
	Whole            Format = "whole"            // the value is the password
	URL              Format = "url"              // scheme://user:password@host/…
	KeyValue         Format = "keyvalue"         // libpq's host=… password='…'
	GoMySQL          Format = "go-mysql"         // user:password@tcp(host)/db
	JDBC             Format = "jdbc"             // jdbc:…, with the parameters user and password
	PgPass           Format = "pgpass"           // one line of a .pgpass file
	MyCnf            Format = "mycnf"            // a key in a section of a MariaDB or MySQL option file
	Env              Format = "env"              // a variable of a .env file
	Properties       Format = "properties"       // a key of a Java .properties file
	JSON             Format = "json"             // a string at a JSON pointer
	YAML             Format = "yaml"             // a scalar at a JSON pointer
	DockerConfigJSON Format = "dockerconfigjson" // one registry of a pull secret
	Htpasswd         Format = "htpasswd"         // one user's line; only the hash is there
	Template         Format = "template"         // a literal text with {{user}} and {{password}}
)

// MaxBytes is the longest value that is read; Kubernetes allows no longer Secret.
const MaxBytes = 1 << 20

const (
	maxPlace    = 1024
	maxTemplate = 8 << 10
	maxText     = 64 << 10 // of a new user name or password, in all formats but whole
)

// The codes of this package's faults, all of kind fault.Invalid unless fault.TooLarge.
const (
	CodeSpec       = "part-spec"       // the Spec itself is not right
	CodeMissing    = "part-missing"    // the stored value has no such place
	CodeAmbiguous  = "part-ambiguous"  // it has several, or readers would disagree about it
	CodeUnreadable = "part-unreadable" // it is not of the format, or could not be written back
	CodeUnfit      = "part-unfit"      // the new text cannot stand there; another one may
)

// Holds is what of an account stands at a place. The words are stored with mappings: they stay.
type Holds string

// What can stand there.
const (
	HoldsPassword Holds = ""         // the password; a user name beside it is left alone
	HoldsUser     Holds = "username" // the user name, as the whole value
	HoldsBoth     Holds = "both"     // the user name and the password
)

// Spec says where an account's password stands in a value. It holds no secret and is stored with the mapping.
type Spec struct {
	// Format; the Spec that has nothing set means Whole.
	Format Format `json:"format"`
	// At is the place, by format: a JSON pointer (json, yaml), a key (env, properties), "section" or "section/key"
	// (mycnf; the key is "password" if not given), "host:port:database" or "host:port:database:user" (pgpass), the
	// registry as it is spelled in the file (dockerconfigjson), a user or, if empty, the only line (htpasswd). The
	// other formats have one place, and At is empty.
	At string `json:"at,omitempty"`
	// User is where the user name stands, for formats that do not say it themselves (json, yaml, env, properties). Empty
	// means that it is not there.
	User string `json:"user,omitempty"`
	// Template is the text of the format template: literal but for {{user}} and {{password}}, each optionally with an
	// encoding: {{password:percent}}, base64, json (the inside of a JSON string) or shell-single-quoted (quotes
	// included). Without one, control characters are refused.
	Template string `json:"template,omitempty"`
	// Holds is what of the account stands there. A user name alone is a whole value; both need a format that has a place
	// for the user name.
	Holds Holds `json:"holds,omitempty"`
}

// IsWhole reports whether the value is the password and nothing else, which the zero Spec says too.
func (s Spec) IsWhole() bool { return s.Holds == HoldsPassword && (s.Format == Whole || s == Spec{}) }

// HasUser reports whether the account's user name stands there, with the password or alone.
func (s Spec) HasUser() bool { return s.Holds != HoldsPassword }

// Hashed reports whether only a hash of the password stands in values of this format.
func (s Spec) Hashed() bool { return s.Format == Htpasswd }

// reader reads a value of one format. It returns faults only.
type reader func(s Spec, b []byte) (reading, error)

// format is what differs between formats.
type format struct {
	read   reader
	at     atRule
	user   bool // Spec.User may be set
	check  func(s Spec) error
	binary bool // any bytes, not only UTF-8 text without a byte order mark
}

type atRule int

const (
	atNone atRule = iota
	atNeeded
	atOptional
)

// Formats returns all formats, in the order in which a person would look for one.
func Formats() []Format {
	return []Format{Whole, URL, KeyValue, GoMySQL, JDBC, PgPass, MyCnf, Env, Properties, JSON, YAML, DockerConfigJSON,
		Htpasswd, Template}
}

// lookup returns what is known of f; false when there is no such format.
func lookup(f Format) (format, bool) {
	switch f {
	case Whole:
		return format{read: readWhole, binary: true}, true
	case URL:
		return format{read: readURL}, true
	case KeyValue:
		return format{read: readKeyValue}, true
	case GoMySQL:
		return format{read: readGoMySQL}, true
	case JDBC:
		return format{read: readJDBC}, true
	case PgPass:
		return format{read: readPgPass, at: atNeeded, check: checkPgPass}, true
	case MyCnf:
		return format{read: readMyCnf, at: atNeeded, check: checkMyCnf}, true
	case Env:
		return format{read: readEnv, at: atNeeded, user: true, check: checkEnv}, true
	case Properties:
		return format{read: readProperties, at: atNeeded, user: true}, true
	case JSON:
		return format{read: readJSON, at: atNeeded, user: true, check: checkPointers}, true
	case YAML:
		return format{read: readYAML, at: atNeeded, user: true, check: checkPointers}, true
	case DockerConfigJSON:
		return format{read: readDockerConfig, at: atNeeded}, true
	case Htpasswd:
		return format{read: readHtpasswd, at: atOptional, check: checkHtpasswd}, true
	case Template:
		return format{read: readTemplate, check: checkTemplate}, true
	}
	return format{}, false
}

// Check says whether s is complete and well formed, without a value to apply it to. It fails with fault.Invalid, and
// the fault's Field is the JSON name of the member of s that is wrong.
func (s Spec) Check() error {
	if s == (Spec{}) {
		return nil
	}
	if s.Holds == HoldsUser {
		s.Format = cmp.Or(s.Format, Whole)
	}
	f, ok := lookup(s.Format)
	switch {
	case !ok:
		return badSpec("format", "there is no such format", "use one of "+names())
	case s.Holds != HoldsPassword && s.Holds != HoldsUser && s.Holds != HoldsBoth:
		return badSpec("holds", "that is nothing that can stand there", "use password, username or both")
	case s.Holds == HoldsUser && s.Format != Whole:
		return badSpec("holds", "a user name alone stands as the whole value only", "map both, or the whole value")
	case s.Holds == HoldsBoth && (s.Format == Whole || f.user && s.User == ""):
		return badSpec("holds", "this place has no user name", "say where the user name stands, or map it as a key of its own")
	case f.at == atNone && s.At != "":
		return badSpec("at", "this format has only one place", "leave it empty")
	case f.at == atNeeded && s.At == "":
		return badSpec("at", "the place in the value is missing", "say where the password stands")
	case !f.user && s.User != "":
		return badSpec("user", "this format says itself where the user name stands", "leave it empty")
	case s.Format != Template && s.Template != "":
		return badSpec("template", "only the format template has a template", "leave it empty")
	case len(s.At) > maxPlace || !printable(s.At):
		return badSpec("at", "the place is too long or has control characters", "shorten it")
	case len(s.User) > maxPlace || !printable(s.User):
		return badSpec("user", "the place is too long or has control characters", "shorten it")
	case s.User != "" && s.User == s.At:
		return badSpec("user", "user name and password cannot stand at the same place", "name another place")
	case f.check != nil:
		return f.check(s)
	}
	return nil
}

func names() string {
	var all []string
	for _, f := range Formats() {
		all = append(all, string(f))
	}
	return strings.Join(all, ", ")
}

// printable reports whether s is UTF-8 without control characters.
func printable(s string) bool {
	return utf8.ValidString(s) && !slices.ContainsFunc([]byte(s), control)
}

func control(c byte) bool { return c < 0x20 || c == 0x7f }

func badSpec(field, msg, cure string) error {
	return fault.New(fault.Invalid, "%s", msg).WithCode(CodeSpec).WithField(field).WithCure("%s", cure)
}

func missing(msg, cure string) error {
	return fault.New(fault.Invalid, "%s", msg).WithCode(CodeMissing).WithCure("%s", cure)
}

func ambiguous(msg, cure string) error {
	return fault.New(fault.Invalid, "%s", msg).WithCode(CodeAmbiguous).WithCure("%s", cure)
}

func unreadable(msg, cure string) error {
	return fault.New(fault.Invalid, "%s", msg).WithCode(CodeUnreadable).WithCure("%s", cure)
}

func unfit(msg, cure string) error {
	return fault.New(fault.Invalid, "%s", msg).WithCode(CodeUnfit).WithCure("%s", cure)
}
