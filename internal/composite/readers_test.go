package composite

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgpassfile"
	"github.com/jackc/pgx/v5/pgconn"
	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/bcrypt"
)

// passwords are what the real readers have to read back; a format may refuse one, but never misread it.
var passwords = []string{
	"simple", "Letters123", "with blank", " around ", "a'b", `a"b`, `a\b`, `\`, `\'`, `\\'"`, "'", `"`, "a/b?c#d", "a@b:c", "100%", "%41", "+", "a+b",
	"{a}", "}", "${x}", "$x", "`id`", "#x", "x # y", "a=b&c", ";x", "ü", "😀", "\u00a0", "\u2028", "tab\tx", "line\nx", "\x01", "\x7f", "null", "true", "12", "~", "- a", "a: b", "*a", "&a", "!x", "|", ">", "%x", "@a",
	strings.Repeat("x", 128), strings.Repeat(`'"\`, 42),
}

// realReaders read the password of a written value as the world does.
var realReaders = []struct {
	name   string
	s      Spec
	stored string
	must   int // of passwords must at least be accepted
	read   func(t *testing.T, text string) (user, password string)
}{
	{"net/url", Spec{Format: URL}, "https://u:p@h/", 49, func(t *testing.T, text string) (string, string) {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		password, _ := u.User.Password()
		return u.User.Username(), password
	}},
	{"pgx, url", Spec{Format: URL}, "postgres://u:p@h:1,i:2/d?sslmode=disable", 49, readPgx},
	{"pgx, keyvalue", Spec{Format: KeyValue}, "host=h password=p user='u' sslmode=disable", 49, readPgx},
	{"go-mysql", Spec{Format: GoMySQL}, "u:p@tcp(h:1)/d?parseTime=true", 45, func(t *testing.T, text string) (string, string) {
		c, err := mysql.ParseDSN(text)
		if err != nil {
			t.Fatal(err)
		}
		return c.User, c.Passwd
	}},
	{"pgpass", Spec{Format: PgPass, At: "h:1:d"}, "#\nx:1:d:u:y\nh:1:d:u:p\n", 43, func(t *testing.T, text string) (string, string) {
		f, err := pgpassfile.ParsePassfile(strings.NewReader(text))
		if err != nil || len(f.Entries) != 2 {
			t.Fatalf("%v, %v", f, err)
		}
		return f.Entries[1].Username, f.FindPassword("h", "1", "d", f.Entries[1].Username)
	}},
	{"my_print_defaults", Spec{Format: MyCnf, At: "client"}, "[client]\nuser=u\npassword=p\n", 47, readDefaults},
	{"shell, bare", Spec{Format: Env, At: "P", User: "U"}, "U=u\nexport P=p", 3, readShell},
	{"shell, single", Spec{Format: Env, At: "P", User: "U"}, "U='u'\nP='p' # c\n", 37, readShell},
	{"shell, double", Spec{Format: Env, At: "P", User: "U"}, "U=\"u\"\nP=\"p\" # c\n", 37, readShell},
	{"shell, template", Spec{Format: Template, Template: "U={{user:shell-single-quoted}}\nP={{password:shell-single-quoted}}"}, "U='u'\nP='p'", 49, readShell},
	{"encoding/json", Spec{Format: JSON, At: "/b", User: "/a"}, `{"a":"u", "b":"p"}`, 49, readAsJSON},
	{"encoding/json, template", Spec{Format: Template, Template: `{"a":"{{user:json}}","b":"{{password:json}}"}`}, `{"a":"u","b":"p"}`, 49, readAsJSON},
	{"dockerconfigjson", Spec{Format: DockerConfigJSON, At: "r"}, `{"auths":{"r":{"auth":"dTpw"}}}`, 49, func(t *testing.T, text string) (string, string) {
		var doc struct {
			Auths map[string]struct{ Auth string }
		}
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		both, err := base64.StdEncoding.DecodeString(doc.Auths["r"].Auth)
		user, password, _ := bytes.Cut(both, []byte(":"))
		if err != nil {
			t.Fatal(err)
		}
		return string(user), string(password)
	}},
	{"yaml, plain", Spec{Format: YAML, At: "/b", User: "/a"}, "a: u # c\nb: p\n", 49, readAsYAML},
	{"yaml, flow", Spec{Format: YAML, At: "/b", User: "/a"}, "{a: 'u', b: p}", 49, readAsYAML},
	{"yaml, single", Spec{Format: YAML, At: "/b", User: "/a"}, "a: u\nb: 'p'", 49, readAsYAML},
	{"yaml, double", Spec{Format: YAML, At: "/b", User: "/a"}, "a: u\nb: \"p\"", 49, readAsYAML},
	{"yaml, block", Spec{Format: YAML, At: "/b", User: "/a"}, "a: u\nb: |-\n p\n", 40, readAsYAML},
}

func TestRealReadersReadTheNewPassword(t *testing.T) {
	for _, tc := range realReaders {
		t.Run(tc.name, func(t *testing.T) {
			accepted := 0
			for _, password := range passwords {
				for _, user := range []string{"u", password} {
					out, err := Replace(tc.s, value(tc.stored), &user, value(password))
					if err != nil {
						continue
					}
					if user == "u" {
						accepted++
					}
					if u, p := tc.read(t, plain(out)); u != user || p != password {
						t.Errorf("wrote %q, %q; %q was read as %q, %q", user, password, plain(out), u, p)
					}
				}
			}
			if want := min(tc.must, len(passwords)); accepted < want {
				t.Errorf("%d passwords were accepted, want %d", accepted, want)
			}
		})
	}
}

func readPgx(t *testing.T, text string) (string, string) {
	c, err := pgconn.ParseConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	return c.User, c.Password
}

func readAsJSON(t *testing.T, text string) (string, string) {
	var doc struct{ A, B string }
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	return doc.A, doc.B
}

func readAsYAML(t *testing.T, text string) (string, string) {
	doc := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	user, _ := doc["a"].(string)
	password, _ := doc["b"].(string)
	return user, password
}

// run returns what a program prints.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(out)
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func readDefaults(t *testing.T, text string) (string, string) {
	out := run(t, "my_print_defaults", "--defaults-file="+file(t, text), "client")
	user, password, _ := strings.Cut(strings.TrimPrefix(out, "--user="), "\n--password=")
	return user, strings.TrimSuffix(password, "\n")
}

func readShell(t *testing.T, text string) (string, string) {
	out := run(t, "sh", "-c", `. "$1" && printf '%s\n%s\n' "$U" "$P"`, "sh", file(t, text))
	// A newline in one of them would be in both, or in the password alone.
	if user, password, _ := strings.Cut(out, "\n"); user == "u" {
		return user, strings.TrimSuffix(password, "\n")
	}
	return out[:len(out)/2-1], out[len(out)/2 : len(out)-1]
}

func TestHtpasswd(t *testing.T) {
	const long = "o'ld password, longer than sixteen"
	openssl := func(scheme, salt, password string) string {
		return strings.TrimSpace(run(t, "openssl", "passwd", "-"+scheme, "-salt", salt, password))
	}
	bcrypted, err := bcrypt.GenerateFromPassword([]byte(long), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	bcrypted[2] = 'y'
	for name, hash := range map[string]string{
		"apr1": openssl("apr1", "ab./zZ09", long), "5": openssl("5", "s", long), "6": openssl("6", "0123456789abcdef", long),
		"5 rounds": openssl("5", "rounds=1234$0123456789abcdef", long), "bcrypt": string(bcrypted), "sha": "{SHA}RWvbivMV2YkH1IYCDVP1GHrBb+s=",
	} {
		t.Run(name, func(t *testing.T) {
			stored := "# c\na:{SHA}x\nu:" + hash + " \r\nb:y\n"
			s := Spec{Format: Htpasswd, At: "u"}
			old := value(long)
			p, err := Find(s, value(stored))
			if err != nil {
				t.Fatal(err)
			}
			if !p.Hashed || *p.User != "u" || p.Password.Len() != 0 || !p.Holds(old) || p.Holds(value("x")) {
				t.Errorf("found %+v", p)
			}
			if same, err := Replace(s, value(stored), nil, old); err != nil || plain(same) != stored {
				t.Errorf("the same password changed the line: %v", err)
			}
			out, err := Replace(s, value(stored), nil, value("new"))
			if err != nil {
				t.Fatal(err)
			}
			text := plain(out)
			now := strings.TrimSuffix(strings.TrimPrefix(text, "# c\na:{SHA}x\nu:"), " \r\nb:y\n")
			if name != "5" && len(now) != len(hash) || now[:3] != hash[:3] || now == hash {
				t.Errorf("written: %q", text)
			}
			if p, err = Find(s, out); err != nil || !p.Holds(value("new")) || p.Holds(old) {
				t.Errorf("not the new password: %v", err)
			}
			if fields := strings.Split(now, "$"); len(fields) == 4 && len(fields[1]) != 2 && openssl(fields[1], fields[2], "new") != now {
				t.Errorf("openssl makes another hash than %s", now)
			}
		})
	}
	user := "v"
	out, err := Replace(Spec{Format: Htpasswd}, value("u:"+string(bcrypted)), &user, value(long))
	if err != nil || plain(out) != "v:"+string(bcrypted) {
		t.Errorf("another user: %q, %v", plain(out), err)
	}
}

// The same in a process that refuses everything that FIPS 140-3 does not approve: no panic, and the weak hashes refused.
func TestUnderFIPSOnly(t *testing.T) {
	if os.Getenv("KEYTURN_TEST_FIPS") != "" {
		for stored, ok := range map[string]bool{"u:{SHA}x": false, "u:$apr1$s$x": false, "u:$6$s$x": true} {
			out, err := Replace(Spec{Format: Htpasswd}, value(stored), nil, value("n"))
			if (err == nil) != ok {
				t.Errorf("%s: %q, %v", stored, plain(out), err)
			}
		}
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^(TestUnderFIPSOnly|TestReplace)$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only", "KEYTURN_TEST_FIPS=1")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "\n--- PASS: ") != 2 {
		t.Fatalf("%v\n%s", err, out)
	}
}
