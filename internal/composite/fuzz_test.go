package composite

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keyturn/keyturn/internal/fault"
)

// fuzz tries the promises of the package on one format; agree, if not nil, asks a real reader about each accepted value.
func fuzz(f *testing.F, format Format, agree func(t *testing.T, text, user, password string)) {
	for _, tc := range replacements {
		if tc.s.Format == format {
			f.Add(tc.s.At, tc.s.User, tc.s.Template, tc.stored, tc.newUser, tc.newPassword)
		}
	}
	for _, tc := range refusals {
		if tc.s.Format == format && len(tc.password) < 1000 {
			f.Add(tc.s.At, tc.s.User, tc.s.Template, tc.stored, tc.newUser, tc.password)
		}
	}
	f.Fuzz(func(t *testing.T, at, user, template, stored, newUser, newPassword string) {
		s := Spec{Format: format, At: at, User: user, Template: template}
		if format == Htpasswd && (strings.Contains(stored, "$2") || strings.Contains(stored, "rounds")) {
			return // tells nothing new, slowly
		}
		p, err := Find(s, value(stored))
		if err != nil {
			onlyFaults(t, err)
			return
		}
		if agree != nil {
			agree(t, stored, text0(p.User), plain(p.Password))
		}
		if !p.Hashed {
			if same := replaced(t, s, stored, p.User, plain(p.Password)); same != stored {
				t.Fatalf("replaced with itself: %q became %q", stored, same)
			}
		}
		var name *string
		if p.User != nil {
			name = &newUser
		}
		v, err := Replace(s, value(stored), name, value(newPassword))
		if err != nil {
			onlyFaults(t, err)
			return
		}
		out := plain(v)
		again, err := Find(s, value(out))
		if err != nil || !again.Holds(value(newPassword)) || text0(again.User) != text0(name) {
			t.Fatalf("%q became %q, read as %q, %q, %v", stored, out, text0(again.User), plain(again.Password), err)
		}
		restUnchanged(t, s, stored, out)
		if agree != nil {
			agree(t, out, text0(again.User), newPassword)
		}
		if !p.Hashed && plain(p.Password) != "" && text0(p.User) != "" { // the way back
			back := replaced(t, s, out, p.User, plain(p.Password))
			if b, err := Find(s, value(back)); err != nil || !b.Password.Equal(p.Password) || text0(b.User) != text0(p.User) {
				t.Fatalf("%q became %q, and back %q: %v", stored, out, back, err)
			}
		}
	})
}

func text0(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func replaced(t *testing.T, s Spec, stored string, user *string, password string) string {
	t.Helper()
	v, err := Replace(s, value(stored), user, value(password))
	if err != nil {
		t.Fatalf("what was read from %q cannot be written: %v", stored, err)
	}
	return plain(v)
}

func onlyFaults(t *testing.T, err error) {
	t.Helper()
	if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge {
		t.Fatalf("no fault: %v", err)
	}
}

// restUnchanged compares what is outside the places, found anew in both.
func restUnchanged(t *testing.T, s Spec, before, after string) {
	t.Helper()
	rest := func(text string) (out []string) {
		f, _ := lookup(s.Format)
		r, err := f.readChecked(s, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(r.places, func(a, b place) int { return cmp.Compare(a.start, b.start) })
		from := 0
		for _, p := range r.places {
			out = append(out, text[from:p.start])
			from = p.end
		}
		return append(out, text[from:])
	}
	if !slices.Equal(rest(before), rest(after)) {
		t.Fatalf("the rest of %q is not that of %q", before, after)
	}
}

func FuzzWhole(f *testing.F)            { fuzz(f, Whole, nil) }
func FuzzJDBC(f *testing.F)             { fuzz(f, JDBC, nil) }
func FuzzPgPass(f *testing.F)           { fuzz(f, PgPass, nil) }
func FuzzMyCnf(f *testing.F)            { fuzz(f, MyCnf, nil) }
func FuzzEnv(f *testing.F)              { fuzz(f, Env, nil) }
func FuzzProperties(f *testing.F)       { fuzz(f, Properties, nil) }
func FuzzYAML(f *testing.F)             { fuzz(f, YAML, nil) }
func FuzzDockerConfigJSON(f *testing.F) { fuzz(f, DockerConfigJSON, nil) }
func FuzzTemplate(f *testing.F)         { fuzz(f, Template, nil) }

func FuzzHtpasswd(f *testing.F) {
	for _, hash := range []string{"{SHA}x", "$apr1$s$x", "$5$s$x", "$6$s$x:rest"} {
		f.Add("u", "", "", "# c\r\na:b\r\nu:"+hash+" \r\n", none, "new")
		f.Add("", "", "", "u:"+hash, "v", "new")
	}
	fuzz(f, Htpasswd, nil)
}

func FuzzURL(f *testing.F) {
	fuzz(f, URL, func(t *testing.T, text, user, password string) {
		u, err := url.Parse(strings.TrimRight(text, "\r\n"))
		if err != nil {
			return // it is stricter about hosts and bare characters
		}
		if p, _ := u.User.Password(); u.User.Username() != user || p != password {
			t.Fatalf("net/url reads %q in %q", u.User, text)
		}
	})
}

func FuzzKeyValue(f *testing.F) {
	fuzz(f, KeyValue, func(t *testing.T, text, user, password string) {
		for _, word := range []string{"file", "service", "ssl", "://"} {
			if strings.Contains(text, word) {
				return // reads files
			}
		}
		c, err := pgconn.ParseConfig("passfile=/nonexistent servicefile=/nonexistent " + text)
		if err != nil {
			return // a setting that it does not know
		}
		if password != "" && c.Password != password || user != "" && c.User != user {
			t.Fatalf("pgx reads %q, %q in %q", c.User, c.Password, text)
		}
	})
}

func FuzzGoMySQL(f *testing.F) {
	fuzz(f, GoMySQL, func(t *testing.T, text, user, password string) {
		c, err := mysql.ParseDSN(strings.TrimRight(text, "\r\n"))
		if err != nil {
			return
		}
		if c.User != user || c.Passwd != password {
			t.Fatalf("the driver reads %q, %q in %q", c.User, c.Passwd, text)
		}
	})
}

func FuzzJSON(f *testing.F) {
	fuzz(f, JSON, func(t *testing.T, text, _, _ string) {
		if !json.Valid([]byte(text)) {
			t.Fatalf("encoding/json does not accept %q", text)
		}
	})
}

// The scanner accepts what encoding/json does, and finds what it finds.
func FuzzJSONScan(f *testing.F) {
	for _, seed := range []string{`{"a":"x"}`, ` [1, -0.5e+3, true, null, {"a": []}, ""] `, `{"a":{"a":"\ud83d\ude00"}}`, `01`, `1.`, `-`, `{"a"}`, `[,]`, `"\x"`, `"a`, `1e`, `tru`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hit, err := jsonFind([]byte(text), []string{"a"})
		if ok := fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), "twice"); ok != json.Valid([]byte(text)) && strings.Count(text, "[")+strings.Count(text, "{") < maxDepth {
			t.Fatalf("%q: accepted %v", text, ok)
		}
		doc := map[string]json.RawMessage{}
		if err != nil || json.Unmarshal([]byte(text), &doc) != nil {
			return
		}
		if got := text[hit.start:hit.end]; got != string(doc["a"]) {
			t.Fatalf("%q: found %q, want %q", text, got, doc["a"])
		}
	})
}

func FuzzDetect(f *testing.F) {
	for _, tc := range replacements {
		f.Add(tc.stored)
	}
	f.Fuzz(func(t *testing.T, stored string) {
		start := time.Now()
		found := Detect(value(stored))
		if took := time.Since(start); took > 5*time.Second {
			t.Fatalf("took %v", took)
		}
		for _, s := range found {
			if _, err := Find(s, value(stored)); err != nil {
				t.Fatalf("%+v does not fit: %v", s, err)
			}
		}
		if found[len(found)-1] != (Spec{Format: Whole}) {
			t.Fatal("whole is not last")
		}
	})
}

// Every format has a seed from which the fuzzer changes the password, and where there is a user name one that changes both.
// Those of htpasswd, which holds hashes, are at FuzzHtpasswd.
func TestEveryFormatIsSeeded(t *testing.T) {
	for _, format := range Formats() {
		password, both, named := format == Htpasswd, false, false
		for _, tc := range replacements {
			if tc.s.Format != format || tc.want == tc.stored {
				continue
			}
			password = password || tc.newPassword != tc.password
			named = named || tc.user != none
			both = both || tc.user != none && tc.newUser != none && tc.newUser != tc.user
		}
		if !password || named != both {
			t.Errorf("%s: a password is changed: %v; it has a user name: %v; both are changed: %v", format, password, named, both)
		}
	}
}
