package composite

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/fault"
)

func TestDetect(t *testing.T) {
	for _, tc := range []struct {
		stored string
		want   []Spec // before Whole
	}{
		{"", nil},
		{"Pa55 w:rd@/=", nil},
		{"postgres://u:p@h/d\n", []Spec{{Format: URL}}},
		{"https://example.com/", nil},
		{"u:p@tcp(h:1)/d", []Spec{{Format: GoMySQL}}},
		{"jdbc:postgresql://h/d?user=u&password=p", []Spec{{Format: JDBC}}},
		{"host=h user=u password=p", []Spec{{Format: KeyValue}}},
		{"h:5432:*:u:p\n*:*:*:v:q\n", []Spec{{Format: PgPass, At: "h:5432:*:u"}, {Format: PgPass, At: "*:*:*:v"}}},
		{"[client]\nuser=u\npassword=p\n[mysqld]\nport=1\n", []Spec{{Format: MyCnf, At: "client"}, {Format: Env, At: "password", User: "user"}, {Format: Properties, At: "password", User: "user"}}},
		{"DB_USER=u\nDB_PASSWORD=p\nPORT=1\n", []Spec{{Format: Env, At: "DB_PASSWORD", User: "DB_USER"}, {Format: Properties, At: "DB_PASSWORD", User: "DB_USER"}}},
		{"spring.datasource.username=u\nspring.datasource.password=p\\u0041\n", []Spec{{Format: Properties, At: "spring.datasource.password", User: "spring.datasource.username"}}},
		{`{"auths":{"r.io":{"auth":"YTpi"}}}`, []Spec{{Format: DockerConfigJSON, At: "r.io"}}},
		{`{"db":{"dbUser":"u","dbPassword":"p","x":[{"a/secret":"s"}]}}`, []Spec{{Format: JSON, At: "/db/dbPassword", User: "/db/dbUser"}, {Format: JSON, At: "/db/x/0/a~1secret"}}},
		{"db:\n  username: u\n  password: p\n", []Spec{{Format: YAML, At: "/db/password", User: "/db/username"}, {Format: Properties, At: "password", User: "username"}}},
		{"u:$apr1$abcdefgh$b2Q9KuTrf5KW1OqAGGse./\n", []Spec{{Format: Htpasswd, At: "u"}}},
	} {
		if diff := cmp.Diff(append(tc.want, Spec{Format: Whole}), Detect(value(tc.stored))); diff != "" {
			t.Errorf("%q: %s", tc.stored, diff)
		}
	}
}

// What a hostile value of 1 MiB can cost.
func TestLongValues(t *testing.T) {
	fill := func(unit string) string { return strings.Repeat(unit, (MaxBytes-200)/len(unit)) }
	quarter := func(unit string) string { return strings.Repeat(unit, MaxBytes/4/len(unit)) } // time is linear: see "yaml flow"
	for _, tc := range []struct {
		name   string
		s      Spec
		stored string
		ok     bool
	}{
		{"whole", Spec{Format: Whole}, fill("x"), true},
		{"url", Spec{Format: URL}, "x://u:p@h/" + fill("a&"), true},
		{"url password", Spec{Format: URL}, "x://u:" + fill("a") + "@h", true},
		{"url query", Spec{Format: URL}, "x://u:p@h/?" + fill("%61=&"), true},
		{"keyvalue", Spec{Format: KeyValue}, fill("a=b ") + "password=p", true},
		{"keyvalue quotes", Spec{Format: KeyValue}, fill("a=''") + "password=p", true},
		{"go-mysql", Spec{Format: GoMySQL}, "u:" + fill("@:/(") + "@tcp(h)/d", true},
		{"jdbc", Spec{Format: JDBC}, "jdbc:mysql://h/?password=p&" + fill("a=b&"), true},
		{"jdbc sqlserver", Spec{Format: JDBC}, "jdbc:sqlserver://h;password=p;" + fill("a={}};};"), true},
		{"pgpass", Spec{Format: PgPass, At: "h:1:d:u"}, fill("h:1:d:v:p\n") + "h:1:d:u:p", true},
		{"pgpass matches", Spec{Format: PgPass, At: "h:1:d:u"}, "h:1:d:u:p\n" + fill("*:*:*:*:\n"), true},
		{"mycnf", Spec{Format: MyCnf, At: "client"}, "[client]\npassword=p\n" + fill("[a]\nb='#\n"), true},
		{"env", Spec{Format: Env, At: "P"}, "P=p\n" + fill("A='\n'\n"), true},
		{"env blanks", Spec{Format: Env, At: "P"}, "P=p\n" + fill(" "), true},
		{"properties", Spec{Format: Properties, At: "p"}, "p=p\na=" + fill("\\\n"), true},
		{"json", Spec{Format: JSON, At: "/a"}, `{"a":"p","b":[` + fill("[],") + `0]}`, true},
		{"json index", Spec{Format: JSON, At: "/200000"}, `[` + fill("0,") + `0]`, false},
		{"json names", Spec{Format: JSON, At: "/a"}, `{` + fill(`"\u0062":0,`) + `"a":"p"}`, true},
		{"docker", Spec{Format: DockerConfigJSON, At: "r"}, `{"auths":{` + fill(`"a":{"auth":""},`) + `"r":{"auth":"YTpi"}}}`, true},
		{"yaml", Spec{Format: YAML, At: "/p"}, "p: p\n" + quarter("'a': b # c\n"), true},
		{"yaml flow", Spec{Format: YAML, At: "/p"}, "p: p\na: [" + fill("0,") + "0]", true},
		{"yaml brackets", Spec{Format: YAML, At: "/p"}, "p: p\na: " + fill("["), false},
		{"yaml questions", Spec{Format: YAML, At: "/p"}, fill("? "), false},
		{"yaml dashes", Spec{Format: YAML, At: "/p"}, fill("- "), false},
		{"yaml documents", Spec{Format: YAML, At: "/p"}, "p: p\n" + quarter("---\na\n"), true},
		{"yaml anchors", Spec{Format: YAML, At: "/p"}, "p: p\n" + quarter("? &a\n"), true},
		{"yaml aliases", Spec{Format: YAML, At: "/p"}, "p: p\na: &a [b]\nc: [" + quarter("*a,") + "*a]", true},
		{"yaml comments", Spec{Format: YAML, At: "/p"}, quarter("#\n\n") + "p: p", true},
		{"yaml colons", Spec{Format: YAML, At: "/p"}, "p: p\na: {" + quarter("a:,") + "}", true},
		{"htpasswd", Spec{Format: Htpasswd, At: "u"}, fill("a:b\n") + "u:{SHA}x", true},
		{"template", Spec{Format: Template, Template: "{{user}}ab{{password}}"}, "u" + fill("ab"), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			start := time.Now()
			_, err := Find(tc.s, value(tc.stored))
			if took := time.Since(start); took > time.Minute { // 0.01 to 2 s on an idle core; squares would take many minutes
				t.Errorf("took %v", took)
			} else {
				t.Log(took)
			}
			if (err == nil) != tc.ok {
				t.Errorf("%v", err)
			}
			start = time.Now()
			Detect(value(tc.stored[:min(len(tc.stored), maxDetect)]))
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("Detect took %v", took)
			} else if took > 100*time.Millisecond {
				t.Log("Detect", took)
			}
		})
	}
	if _, err := Find(Spec{Format: Whole}, value(strings.Repeat("x", MaxBytes+1))); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("too long: %v", err)
	}
	if _, err := Replace(Spec{Format: URL}, value("x://u:p@h/"+strings.Repeat("x", MaxBytes-10)), nil, value("pp")); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("becomes too long: %v", err)
	}
}
