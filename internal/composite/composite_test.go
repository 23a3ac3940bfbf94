package composite

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

func value(s string) vault.Value { return vault.NewValue([]byte(s)) }

func plain(v vault.Value) string {
	var s string
	_ = v.Expose(func(b []byte) error { s = string(b); return nil })
	return s
}

const none = "\x00none" // no user name

// replacements: in stored, s finds user and password; with newUser (none: untouched) and newPassword it becomes want.
var replacements = []struct {
	name           string
	s              Spec
	stored         string
	user, password string
	newUser        string
	newPassword    string
	want           string
}{
	{"whole", Spec{Format: Whole}, "old\n", none, "old\n", none, "n\x00\xffw", "n\x00\xffw"},

	{"url", Spec{Format: URL}, "postgres://app:p%40ss@db:5432/shop?sslmode=require", "app", "p@ss", none, "a/b?c#d@e:f%g h+ü",
		"postgres://app:a%2Fb%3Fc%23d%40e%3Af%25g%20h%2B%C3%BC@db:5432/shop?sslmode=require"},
	{"url, both", Spec{Format: URL}, "amqps://a:b@[::1]:5671/%2f\r\n", "a", "b", "x@y", "c", "amqps://x%40y:c@[::1]:5671/%2f\r\n"},
	{"url, several hosts", Spec{Format: URL}, "mongodb+srv://u:o@h1:1,h2:2,[fe80::1%25e]:3/db?replicaSet=r#f", "u", "o", none, "n",
		"mongodb+srv://u:n@h1:1,h2:2,[fe80::1%25e]:3/db?replicaSet=r#f"},
	{"url, no user", Spec{Format: URL}, "redis://:o:%2d@h", "", "o:-", none, "n", "redis://:n@h"},
	{"url, user spelled oddly", Spec{Format: URL}, "x://%61:o@", "a", "o", "a", "n", "x://%61:n@"},

	{"keyvalue", Spec{Format: KeyValue}, "host=db  user=app\tpassword=old dbname='a b'\n", "app", "old", none, "new", "host=db  user=app\tpassword=new dbname='a b'\n"},
	{"keyvalue, quotes", Spec{Format: KeyValue}, `password = 'o\'l\\d' user='x'host=h`, "x", `o'l\d`, "y z", `n'e\w `, `password = 'n\'e\\w ' user='y z'host=h`},
	{"keyvalue, bare to quoted", Spec{Format: KeyValue}, `password=a\'b user=u`, "u", "a'b", none, "=", `password='=' user=u`},
	{"keyvalue, empty", Spec{Format: KeyValue}, `user=u password=`, "u", "", none, "n", `user=u password=n`},

	{"go-mysql", Spec{Format: GoMySQL}, "app:o@l:d/@tcp(db:3306)/shop?parseTime=true", "app", "o@l:d/", "b", "n@e/w()?%", "b:n@e/w()?%@tcp(db:3306)/shop?parseTime=true"},
	{"go-mysql, short", Spec{Format: GoMySQL}, "app:@/", "app", "", none, "p", "app:p@/"},

	{"jdbc postgresql", Spec{Format: JDBC}, "jdbc:postgresql://h:1,h:2/db?user=u&password=a+b%26&ssl=true", "u", "a b&", none, "n w&+=%", "jdbc:postgresql://h:1,h:2/db?user=u&password=n%20w%26%2B%3D%25&ssl=true"},
	{"jdbc mysql", Spec{Format: JDBC}, "jdbc:mysql://h/db?password=o&user=u", "u", "o", "v", "n", "jdbc:mysql://h/db?password=n&user=v"},
	{"jdbc mariadb", Spec{Format: JDBC}, "jdbc:mariadb://h/db?user=u&password=o", "u", "o", none, "n-._~", "jdbc:mariadb://h/db?user=u&password=n-._~"},
	{"jdbc sqlserver", Spec{Format: JDBC}, "jdbc:sqlserver://h:1;databaseName={a;b};User=u; password = {o}};d} ;encrypt=true", "u", "o};d", none, "n;}{ =", "jdbc:sqlserver://h:1;databaseName={a;b};User=u; password = {n;}}{ =} ;encrypt=true"},
	{"jdbc sqlserver, bare", Spec{Format: JDBC}, "jdbc:sqlserver://h;userName=u;password=o", "u", "o", "x y", "n", "jdbc:sqlserver://h;userName={x y};password=n"},
	{"jdbc oracle", Spec{Format: JDBC}, "jdbc:oracle:thin:u/o@//h:1521/s", "u", "o", "v", "n_1", "jdbc:oracle:thin:v/n_1@//h:1521/s"},

	{"pgpass", Spec{Format: PgPass, At: `h:5432:db:u\:x`}, "# c\nother:5432:db:u:a\r\nh:5432:*:u\\:x:o\\:l\\\\d\r\nh:5432:db:u:b", "u:x", `o:l\d`, none, `n:\`, "# c\nother:5432:db:u:a\r\nh:5432:*:u\\:x:n\\:\\\\\r\nh:5432:db:u:b"},
	{"pgpass, first wins", Spec{Format: PgPass, At: "h:1:d:u"}, "*:*:*:*:a\nh:1:d:u:b\n", none, "a", none, "c", "*:*:*:*:c\nh:1:d:u:b\n"},
	{"pgpass, pair", Spec{Format: PgPass, At: "h:1:d"}, "h:1:d:a:o:o\n", "a", "o:o", "b", "n", "h:1:d:b:n\n"},

	{"mycnf", Spec{Format: MyCnf, At: "client"}, "[mysqld]\npassword=x\n[client] \n# password=y\n user = u # who\r\npassword = 'a#\\sb' # it\r\nhost=h", "u", "a# b", "v#", "n\"\\'\n\t",
		"[mysqld]\npassword=x\n[client] \n# password=y\n user = \"v#\" # who\r\npassword = \"n\\\"\\\\'\\n\\t\" # it\r\nhost=h"},
	{"mycnf, key", Spec{Format: MyCnf, At: "dump/my-pass"}, "[client]\nuser=a\n[dump]\nmy_pass=o\n", none, "o", none, "n", "[client]\nuser=a\n[dump]\nmy_pass=n\n"},

	{"env", Spec{Format: Env, At: "PW", User: "US"}, "# c\nexport US=u\nKEY=\"-----\nPW=no\n-----\"\nPW=o%+:@=/,^\n", "u", "o%+:@=/,^", "v", "n.-", "# c\nexport US=v\nKEY=\"-----\nPW=no\n-----\"\nPW=n.-\n"},
	{"env, single", Spec{Format: Env, At: "PW"}, "PW='o$ #' # c\r\nX=1", none, "o$ #", none, "it's", "PW=\"it's\" # c\r\nX=1"},
	{"env, double", Spec{Format: Env, At: "PW"}, `PW = "o\"\\"`, none, `o"\`, none, `n$"`, `PW = 'n$"'`},
	{"env, double stays", Spec{Format: Env, At: "PW"}, `PW=""`, none, "", none, `n"\`, `PW="n\"\\"`},

	{"properties", Spec{Format: Properties, At: "db.password", User: "db user"}, "! c\n db\\ user : u\r\ndb.password=o\\\n   l\\u0064\\t\\=\r\nz 1\n", "u", "old\t=", "v", " n\\ü😀\n=", "! c\n db\\ user : v\r\ndb.password=\\ n\\\\\\u00fc\\ud83d\\ude00\\u000a=\r\nz 1\n"},
	{"properties, continued key", Spec{Format: Properties, At: "pa"}, "p\\\r\n  a\\\n =\\\n o\np=x", none, "o", none, "n", "p\\\r\n  a\\\n =\\\n n\np=x"},
	{"properties, blank separated", Spec{Format: Properties, At: "p"}, "p o ", none, "o ", none, "n", "p n"},

	{"json, both", Spec{Format: JSON, At: "/p", User: "/u"}, `{ "u":"a", "x":[1, 2.0],"p" : "b"}`, "a", "b", `c"d`, `e\f`, `{ "u":"c\"d", "x":[1, 2.0],"p" : "e\\f"}`},
	{"json", Spec{Format: JSON, At: "/a~1b/1/p", User: "/u"}, "\t{\"u\":\"\\u0041\", \"a\\/b\" : [null, {\"p\":\"o\\u0041\\\"\", \"p2\":1.50}], \"u2\":\"\\u0041\"}\r\n", "A", `oA"`, none, "n\"\\\n\x7fü<", "\t{\"u\":\"\\u0041\", \"a\\/b\" : [null, {\"p\":\"n\\\"\\\\\\u000a\\u007fü<\", \"p2\":1.50}], \"u2\":\"\\u0041\"}\r\n"},

	{"dockerconfigjson", Spec{Format: DockerConfigJSON, At: "https://r.io/v1/"}, `{"auths":{"x":{"auth":"YTpi"},"https://r.io/v1/":{"username":"a","password":"b","email":"e","auth":"YTpi"}}}`, "a", "b", "c", `d:"`, `{"auths":{"x":{"auth":"YTpi"},"https://r.io/v1/":{"username":"c","password":"d:\"","email":"e","auth":"YzpkOiI="}}}`},
	{"dockerconfigjson, auth alone", Spec{Format: DockerConfigJSON, At: "r"}, `{"auths":{"r":{"auth":"YTpi"}}}`, "a", "b", none, "bb", `{"auths":{"r":{"auth":"YTpiYg=="}}}`},
	{"dockerconfigjson, no auth", Spec{Format: DockerConfigJSON, At: "r"}, `{"auths":{"r":{"password":"b","username":"a","auth":""}}}`, "a", "b", none, "c", `{"auths":{"r":{"password":"c","username":"a","auth":""}}}`},

	{"yaml", Spec{Format: YAML, At: "/db/password", User: "/db/user"}, "# c\r\ndb: # d\r\n  user: u\r\n  password: old # é\r\n  list: [a,  b]\r\n", "u", "old", "v", "n: #\"", "# c\r\ndb: # d\r\n  user: \"v\"\r\n  password: \"n: #\\\"\" # é\r\n  list: [a,  b]\r\n"},
	{"yaml, plain stays", Spec{Format: YAML, At: "/p"}, "p: oldpass", none, "oldpass", none, "new-pass_1", "p: new-pass_1"},
	{"yaml, single", Spec{Format: YAML, At: "/é/0"}, "é: ['o''ld', x]\n", none, "o'ld", none, "n''", "é: ['n''''', x]\n"},
	{"yaml, double", Spec{Format: YAML, At: "/a"}, "{\"a\": \"o\\x41\\\n   b\", b: 1}", none, "oAb", none, "\u2028\x01😀", "{\"a\": \"\\u2028\\u0001😀\", b: 1}"},
	{"yaml, literal strip", Spec{Format: YAML, At: "/a"}, "a: |- # c\n   old\n\nb: 2\n", none, "old", none, "n: '\"", "a: |- # c\n   n: '\"\n\nb: 2\n"},
	{"yaml, literal clip", Spec{Format: YAML, At: "/a"}, "a: |\r\n  old\r\nb: 2\r\n", none, "old\n", none, "new\n", "a: |\r\n  new\r\nb: 2\r\n"},
	{"yaml, documents and anchors", Spec{Format: YAML, At: "/p"}, "a: &x 1\nb: *x\n---\np: &y 'o'\n...\n", none, "o", none, "n", "a: &x 1\nb: *x\n---\np: &y 'n'\n...\n"},

	{"template", Spec{Format: Template, Template: "u={{user}};q={{ password }}\n"}, "u=a;q=b;p\n", "a", "b;p", "c", "'", "u=c;q='\n"},
	{"template, encodings", Spec{Format: Template, Template: `{{user:percent}}:{{password:base64}} "{{password:json}}" {{password:shell-single-quoted}}.`},
		`a%20:Yic= "b\u0027" 'b'\''` + `'.`, "a ", "b'", "é", `"'`, `%C3%A9:Iic= "\"'" '"'\'''.`},
}

func TestReplace(t *testing.T) {
	for _, tc := range replacements {
		t.Run(tc.name, func(t *testing.T) {
			p, err := Find(tc.s, value(tc.stored))
			if err != nil {
				t.Fatal(err)
			}
			user := none
			if p.User != nil {
				user = *p.User
			}
			if diff := cmp.Diff([]string{tc.user, tc.password}, []string{user, plain(p.Password)}); diff != "" {
				t.Error(diff)
			}
			if !p.Holds(value(tc.password)) || p.Holds(value(tc.password+"x")) {
				t.Error("Holds says something else")
			}
			var newUser *string
			if tc.newUser != none {
				newUser = &tc.newUser
			}
			got, err := Replace(tc.s, value(tc.stored), newUser, value(tc.newPassword))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, plain(got)); diff != "" {
				t.Error(diff)
			}
			same, err := Replace(tc.s, value(tc.stored), p.User, p.Password)
			if err != nil || plain(same) != tc.stored {
				t.Errorf("replaced with itself: %q, %v", plain(same), err)
			}
		})
	}
}

const canary = "Zx9canaryQ7"

// refusals: what is stored, what would be written and the code of the refusal.
var refusals = []struct {
	name     string
	s        Spec
	stored   string
	newUser  string
	password string
	code     string
}{
	{"empty", Spec{Format: Whole}, canary, none, "", CodeUnfit},
	{"no user in whole", Spec{Format: Whole}, canary, "u", "n", CodeMissing},
	{"bom", Spec{Format: URL}, "\ufeffx://u:" + canary + "@h", none, "n", CodeUnreadable},
	{"not utf-8", Spec{Format: JSON, At: "/a"}, "{\"a\":\"\xff" + canary + "\"}", none, "n", CodeUnreadable},
	{"nul stored", Spec{Format: KeyValue}, "password=" + canary + "\x00", none, "n", CodeUnreadable},
	{"nul new", Spec{Format: JSON, At: "/a"}, `{"a":""}`, none, canary + "\x00", CodeUnfit},
	{"not utf-8 new", Spec{Format: URL}, "x://u:p@h", none, canary + "\xff", CodeUnfit},
	{"too long new", Spec{Format: URL}, "x://u:p@h", none, strings.Repeat(canary, 10000), CodeUnfit},

	{"url, none", Spec{Format: URL}, canary, none, "n", CodeUnreadable},
	{"url, opaque", Spec{Format: URL}, "mailto:u:" + canary + "@h", none, "n", CodeUnreadable},
	{"url, no password", Spec{Format: URL}, "x://" + canary + "@h", none, "n", CodeMissing},
	{"url, no user information", Spec{Format: URL}, "x://" + canary + "/a@b", none, "n", CodeMissing},
	{"url, slash in password", Spec{Format: URL}, "x://u:a/" + canary + "@h/", none, "n", CodeMissing},
	{"url, two @", Spec{Format: URL}, "x://u:a@" + canary + "@h/", none, "n", CodeAmbiguous},
	{"url, list of urls", Spec{Format: URL}, "x://u:" + canary + "@h,x://u:" + canary + "@i", none, "n", CodeAmbiguous},
	{"url, parameter too", Spec{Format: URL}, "x://u:a@h/?p%61ssword=" + canary, none, "n", CodeAmbiguous},
	{"url, broken escape", Spec{Format: URL}, "x://u:" + canary + "%zz@h", none, "n", CodeUnreadable},
	{"url, not text", Spec{Format: URL}, "x://u:" + canary + "%ff@h", none, "n", CodeUnreadable},
	{"url, two lines", Spec{Format: URL}, "x://u:" + canary + "@h\ny", none, "n", CodeUnreadable},

	{"keyvalue, none", Spec{Format: KeyValue}, canary, none, "n", CodeUnreadable},
	{"keyvalue, no password", Spec{Format: KeyValue}, "user=" + canary, none, "n", CodeMissing},
	{"keyvalue, twice", Spec{Format: KeyValue}, "password=a password=" + canary, none, "n", CodeAmbiguous},
	{"keyvalue, open quote", Spec{Format: KeyValue}, "password='" + canary, none, "n", CodeUnreadable},
	{"keyvalue, open quote elsewhere", Spec{Format: KeyValue}, "password=" + canary + " host='", none, "n", CodeUnreadable},
	{"keyvalue, odd escape", Spec{Format: KeyValue}, `password=` + canary + `\n`, none, "n", CodeUnreadable},
	{"keyvalue, no user", Spec{Format: KeyValue}, "password=" + canary, "u", "n", CodeMissing},

	{"go-mysql, none", Spec{Format: GoMySQL}, canary, none, "n", CodeUnreadable},
	{"go-mysql, no password", Spec{Format: GoMySQL}, canary + "@tcp(h:1)/", none, "n", CodeMissing},
	{"go-mysql, slash in parameters", Spec{Format: GoMySQL}, "u:" + canary + "@tcp(h)/db?loc=US/Pacific", none, "n", CodeUnreadable},
	{"go-mysql, control", Spec{Format: GoMySQL}, "u:p@/", none, canary + "\n", CodeUnfit},
	{"go-mysql, colon in user", Spec{Format: GoMySQL}, "u:p@/", "a:b", canary, CodeUnfit},

	{"jdbc, driver", Spec{Format: JDBC}, "jdbc:h2:mem;PASSWORD=" + canary, none, "n", CodeUnreadable},
	{"jdbc, in front", Spec{Format: JDBC}, "jdbc:mysql://u:" + canary + "@h/?user=u&password=b", none, "n", CodeAmbiguous},
	{"jdbc, case", Spec{Format: JDBC}, "jdbc:mysql://h/?user=u&Password=" + canary, none, "n", CodeAmbiguous},
	{"jdbc, twice", Spec{Format: JDBC}, "jdbc:mysql://h/?password=a&password=" + canary, none, "n", CodeAmbiguous},
	{"jdbc, none", Spec{Format: JDBC}, "jdbc:postgresql://h/?user=" + canary, none, "n", CodeMissing},
	{"jdbc mariadb, special", Spec{Format: JDBC}, "jdbc:mariadb://h/?password=a", none, canary + "&", CodeUnfit},
	{"jdbc mariadb, stored escape", Spec{Format: JDBC}, "jdbc:mariadb://h/?password=%41" + canary, none, "n", CodeUnreadable},
	{"jdbc sqlserver, brace", Spec{Format: JDBC}, "jdbc:sqlserver://h;password={" + canary, none, "n", CodeUnreadable},
	{"jdbc sqlserver, twice", Spec{Format: JDBC}, "jdbc:sqlserver://h;user=a;userName=b;password=" + canary, none, "n", CodeAmbiguous},
	{"jdbc oracle, hyphen", Spec{Format: JDBC}, "jdbc:oracle:thin:u/p@h", none, canary + "-", CodeUnfit},
	{"jdbc oracle, second @", Spec{Format: JDBC}, "jdbc:oracle:thin:u/p@" + canary + "@h", none, "n", CodeUnreadable},

	{"pgpass, none", Spec{Format: PgPass, At: "h:1:d:u"}, "h:1:d:v:" + canary, none, "n", CodeMissing},
	{"pgpass, twice", Spec{Format: PgPass, At: "h:1:d:u"}, "h:1:d:u:a\nh:1:d:u:" + canary, none, "n", CodeAmbiguous},
	{"pgpass, two users", Spec{Format: PgPass, At: "h:1:d"}, "h:1:d:u:a\nh:1:d:v:" + canary, none, "n", CodeAmbiguous},
	{"pgpass, newline", Spec{Format: PgPass, At: "h:1:d"}, "h:1:d:u:a", none, canary + "\n", CodeUnfit},
	{"pgpass, blank at end", Spec{Format: PgPass, At: "h:1:d"}, "h:1:d:u:a", none, canary + " ", CodeUnfit},
	{"pgpass, named user", Spec{Format: PgPass, At: "h:1:d:u"}, "h:1:d:u:a", "v", canary, CodeUnfit},
	{"pgpass, anybody", Spec{Format: PgPass, At: "h:1:d"}, "h:1:d:u:a", "*", canary, CodeUnfit},
	{"pgpass, escape", Spec{Format: PgPass, At: "h:1:d"}, `h:1:d:u:\` + canary, none, "n", CodeUnreadable},
	{"pgpass, comment", Spec{Format: PgPass, At: "h:1:d"}, "h:1:d:u:a", "#", canary + "\r", CodeUnfit},

	{"mycnf, section", Spec{Format: MyCnf, At: "client"}, "[mysql]\npassword=" + canary, none, "n", CodeMissing},
	{"mycnf, twice", Spec{Format: MyCnf, At: "client"}, "[client]\npassword=a\n[x]\n[client]\npassword=" + canary, none, "n", CodeAmbiguous},
	{"mycnf, escape", Spec{Format: MyCnf, At: "client"}, "[client]\npassword=\\q" + canary, none, "n", CodeUnreadable},
	{"mycnf, control", Spec{Format: MyCnf, At: "client"}, "[client]\npassword=a", none, canary + "\x01", CodeUnfit},
	{"mycnf, long", Spec{Format: MyCnf, At: "client"}, "[client]\npassword=a", none, strings.Repeat(canary, 400), CodeUnfit},
	{"mycnf, no value", Spec{Format: MyCnf, At: "client"}, "[client]\npassword\n", none, canary, CodeUnreadable},

	{"env, none", Spec{Format: Env, At: "PW"}, "PWX=" + canary, none, "n", CodeMissing},
	{"env, no user", Spec{Format: Env, At: "PW", User: "U"}, "PW=" + canary, none, "n", CodeMissing},
	{"env, twice", Spec{Format: Env, At: "PW"}, "PW=a\nexport PW=" + canary, none, "n", CodeAmbiguous},
	{"env, interpolation", Spec{Format: Env, At: "PW"}, `PW="$` + canary + `"`, none, "n", CodeUnreadable},
	{"env, bare special", Spec{Format: Env, At: "PW"}, "PW=a", none, canary + "$", CodeUnfit},
	{"env, bare hash", Spec{Format: Env, At: "PW"}, "PW=a #" + canary, none, "n", CodeUnreadable},
	{"env, no quotes fit", Spec{Format: Env, At: "PW"}, "PW='a'", none, canary + "'$", CodeUnfit},
	{"env, open", Spec{Format: Env, At: "PW"}, "PW=a\nX='" + canary, none, "n", CodeUnreadable},

	{"properties, twice", Spec{Format: Properties, At: "p"}, "p=a\n\\u0070=" + canary, none, "n", CodeAmbiguous},
	{"properties, latin", Spec{Format: Properties, At: "p"}, "p=ü" + canary, none, "n", CodeUnreadable},
	{"properties, placeholder", Spec{Format: Properties, At: "p"}, "p=a", none, "${" + canary + "}", CodeUnfit},
	{"properties, stored placeholder", Spec{Format: Properties, At: "p"}, "p=${" + canary + "}", none, "n", CodeUnreadable},

	{"json, none", Spec{Format: JSON, At: "/a"}, `{"b":"` + canary + `"}`, none, "n", CodeMissing},
	{"json, broken", Spec{Format: JSON, At: "/a"}, `{"a":"` + canary + `",}`, none, "n", CodeUnreadable},
	{"json, two documents", Spec{Format: JSON, At: "/a"}, `{"a":"` + canary + `"}{}`, none, "n", CodeUnreadable},
	{"json, number", Spec{Format: JSON, At: "/a"}, `{"a":12}`, none, canary, CodeUnreadable},
	{"json, twice", Spec{Format: JSON, At: "/a"}, `{"a":"x","\u0061":"` + canary + `"}`, none, "n", CodeAmbiguous},
	{"json, half a pair", Spec{Format: JSON, At: "/a"}, `{"a":"\ud83d` + canary + `"}`, none, "n", CodeUnreadable},
	{"json, deep", Spec{Format: JSON, At: "/a"}, strings.Repeat("[", 5000) + `"` + canary, none, "n", CodeUnreadable},

	{"docker, none", Spec{Format: DockerConfigJSON, At: "r"}, `{"auths":{"x":{"password":"` + canary + `"}}}`, none, "n", CodeMissing},
	{"docker, differ", Spec{Format: DockerConfigJSON, At: "r"}, `{"auths":{"r":{"username":"a","password":"` + canary + `","auth":"YTpi"}}}`, none, "n", CodeAmbiguous},
	{"docker, token", Spec{Format: DockerConfigJSON, At: "r"}, `{"auths":{"r":{"auth":"YTpi","identitytoken":"` + canary + `"}}}`, none, "n", CodeUnreadable},
	{"docker, colon", Spec{Format: DockerConfigJSON, At: "r"}, `{"auths":{"r":{"auth":"YTpi"}}}`, canary + ":", "n", CodeUnfit},
	{"docker, not base64", Spec{Format: DockerConfigJSON, At: "r"}, `{"auths":{"r":{"auth":"` + canary + `"}}}`, none, "n", CodeUnreadable},

	{"yaml, none", Spec{Format: YAML, At: "/a"}, "b: " + canary, none, "n", CodeMissing},
	{"yaml, broken", Spec{Format: YAML, At: "/a"}, "a: [" + canary, none, "n", CodeUnreadable},
	{"yaml, unknown anchor", Spec{Format: YAML, At: "/a"}, "a: *" + canary, none, "n", CodeUnreadable},
	{"yaml, number", Spec{Format: YAML, At: "/a"}, "a: 12", none, canary, CodeUnreadable},
	{"yaml, old boolean", Spec{Format: YAML, At: "/a"}, "a: on", none, canary, CodeUnreadable},
	{"yaml, tag", Spec{Format: YAML, At: "/a"}, "a: !!str " + canary, none, "n", CodeUnreadable},
	{"yaml, aliased", Spec{Format: YAML, At: "/a"}, "a: &x " + canary + "\nb: *x", none, "n", CodeAmbiguous},
	{"yaml, alias", Spec{Format: YAML, At: "/b"}, "a: &x " + canary + "\nb: *x", none, "n", CodeAmbiguous},
	{"yaml, parent aliased", Spec{Format: YAML, At: "/a/p"}, "a: &x {p: " + canary + "}\nb:\n  <<: *x", none, "n", CodeAmbiguous},
	{"yaml, twice", Spec{Format: YAML, At: "/a"}, "a: x\na: " + canary, none, "n", CodeAmbiguous},
	{"yaml, two documents", Spec{Format: YAML, At: "/a"}, "a: x\n---\na: " + canary, none, "n", CodeAmbiguous},
	{"yaml, folded", Spec{Format: YAML, At: "/a"}, "a: >\n  " + canary + "\n", none, "n", CodeUnreadable},
	{"yaml, several lines", Spec{Format: YAML, At: "/a"}, "a: " + canary + "\n  b\n", none, "n", CodeUnreadable},
	{"yaml, block of several lines", Spec{Format: YAML, At: "/a"}, "a: |\n  " + canary + "\n  b\n", none, "n", CodeUnreadable},
	{"yaml, block with a blank line", Spec{Format: YAML, At: "/a"}, "a: |-\n\n  " + canary + "\n", none, "n", CodeUnreadable},
	{"yaml, block without end", Spec{Format: YAML, At: "/a"}, "a: |\n  x\n", none, canary, CodeUnfit},

	{"htpasswd, none", Spec{Format: Htpasswd, At: "v"}, "u:$2y$05$" + canary, none, "n", CodeMissing},
	{"htpasswd, several", Spec{Format: Htpasswd}, "u:{SHA}x\nv:" + canary, none, "n", CodeAmbiguous},
	{"htpasswd, scheme", Spec{Format: Htpasswd}, "u:" + canary, none, "n", CodeUnreadable},
	{"htpasswd, cost", Spec{Format: Htpasswd}, "u:$2y$31$WeZYCy5wzNYNsMWLtcvfR.ZtOE7cDYPHRK3NmYJGnBFuyGRyrXvZO", none, canary, CodeUnreadable},
	{"htpasswd, long", Spec{Format: Htpasswd}, "u:$2y$05$WeZYCy5wzNYNsMWLtcvfR.ZtOE7cDYPHRK3NmYJGnBFuyGRyrXvZO", none, strings.Repeat(canary, 7), CodeUnfit},
	{"htpasswd, control", Spec{Format: Htpasswd}, "u:{SHA}x", none, canary + "\n", CodeUnfit},
	{"htpasswd, user", Spec{Format: Htpasswd}, "u:{SHA}x", canary + ":", "n", CodeUnfit},

	{"template, other text", Spec{Format: Template, Template: "p={{password}}"}, "q=" + canary, none, "n", CodeMissing},
	{"template, several ways", Spec{Format: Template, Template: "{{user}}:{{password}}"}, "a:b:" + canary, none, "n", CodeAmbiguous},
	{"template, differ", Spec{Format: Template, Template: "{{password}} {{password}}"}, "a " + canary, none, "n", CodeAmbiguous},
	{"template, becomes ambiguous", Spec{Format: Template, Template: "{{user}}:{{password}}"}, "a:b", none, canary + ":c", CodeUnfit},
	{"template, control", Spec{Format: Template, Template: "p={{password}}\n"}, "p=a\n", none, canary + "\nq=1", CodeUnfit},
	{"template, encoding", Spec{Format: Template, Template: "{{password:base64}}"}, canary + "!", none, "n", CodeUnreadable},
	{"template, open quote", Spec{Format: Template, Template: "{{password:shell-single-quoted}}"}, "'" + canary, none, "n", CodeUnreadable},
}

func TestRefusals(t *testing.T) {
	for _, tc := range refusals {
		t.Run(tc.name, func(t *testing.T) {
			var user *string
			if tc.newUser != none {
				user = &tc.newUser
			}
			got, err := Replace(tc.s, value(tc.stored), user, value(tc.password))
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || f.Kind != fault.Invalid || f.Code != tc.code || f.Cure == "" {
				// A stored text that cannot be written back is Find's to refuse.
				if _, err = Find(tc.s, value(tc.stored)); err == nil {
					t.Fatalf("got %q, %v, want %s", plain(got), f, tc.code)
				}
				if f, _ = errors.AsType[*fault.Error](err); f.Code != tc.code {
					t.Fatalf("got %v (%s), want %s", f, f.Code, tc.code)
				}
			}
			if strings.Contains(f.Error()+f.Unchanged, canary) {
				t.Errorf("the error carries a value: %v", f)
			}
			if tc.code != CodeUnfit && tc.newUser == none {
				if _, err := Find(tc.s, value(tc.stored)); err == nil {
					t.Error("Find accepts it")
				}
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		s     Spec
		field string // at fault; empty: right
	}{
		{Spec{}, ""},
		{Spec{At: "x"}, "format"},
		{Spec{Format: "xml"}, "format"},
		{Spec{Format: URL}, ""},
		{Spec{Format: URL, At: "x"}, "at"},
		{Spec{Format: URL, User: "x"}, "user"},
		{Spec{Format: URL, Template: "x"}, "template"},
		{Spec{Format: JSON}, "at"},
		{Spec{Format: JSON, At: "a"}, "at"},
		{Spec{Format: JSON, At: "/a~2"}, "at"},
		{Spec{Format: JSON, At: "/a", User: "/a"}, "user"},
		{Spec{Format: YAML, At: "/a", User: "b"}, "user"},
		{Spec{Format: YAML, At: "/a/0/", User: "/"}, ""},
		{Spec{Format: Env, At: "A B"}, "at"},
		{Spec{Format: Env, At: "A", User: "1"}, "user"},
		{Spec{Format: Properties, At: "a\nb"}, "at"},
		{Spec{Format: Properties, At: strings.Repeat("a", 1025)}, "at"},
		{Spec{Format: PgPass, At: "h:1"}, "at"},
		{Spec{Format: PgPass, At: "h:1:d:u:p"}, "at"},
		{Spec{Format: MyCnf, At: "client/user"}, "at"},
		{Spec{Format: MyCnf, At: "client/"}, "at"},
		{Spec{Format: DockerConfigJSON}, "at"},
		{Spec{Format: Htpasswd, At: "a:b"}, "at"},
		{Spec{Format: Htpasswd}, ""},
		{Spec{Format: Template}, "template"},
		{Spec{Format: Template, Template: "{{user}}"}, "template"},
		{Spec{Format: Template, Template: "{{pass}}"}, "template"},
		{Spec{Format: Template, Template: "{{password:rot13}}"}, "template"},
		{Spec{Format: Template, Template: "{{password:}}"}, "template"},
		{Spec{Format: Template, Template: "{{user}}{{password}}"}, "template"},
		{Spec{Format: Template, Template: "{{password"}, "template"},
		{Spec{Format: Template, Template: "{{ password:json }}"}, ""},
	} {
		err := tc.s.Check()
		f, ok := errors.AsType[*fault.Error](err)
		if ok != (tc.field != "") || ok && (f.Field != tc.field || f.Kind != fault.Invalid || f.Code != CodeSpec || f.Cure == "") {
			t.Errorf("%+v: %#v, want field %q", tc.s, err, tc.field)
		}
	}
	for _, f := range Formats() {
		if _, ok := lookup(f); !ok {
			t.Errorf("%s is not known", f)
		}
	}
}
