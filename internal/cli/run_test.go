package cli

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/client"
)

func TestExitCodes(t *testing.T) {
	w := newWorld(t)
	problem := func(status int) client.Problem {
		return client.Problem{Type: "urn:keyturn:problem:x", Title: "No", Status: status, Cause: "Because.", Cure: "Do this.", Unchanged: "All of it."}
	}
	for status, want := range map[int]int{400: 1, 401: 3, 403: 3, 404: 4, 409: 5, 412: 5, 413: 1, 422: 1, 428: 5, 429: 1, 500: 1} {
		w.answers["GET /clusters/prod-eu"] = problem(status)
		r := w.run("", "cluster", "get", "prod-eu")
		if r.code != want || r.out != "" || r.err != "error: No\ncause: Because.\ncure: Do this.\nunchanged: All of it.\n" {
			t.Errorf("status %d: %+v, want code %d", status, r, want)
		}
	}
}

// lines are command lines that the server is not what decides on, with their exit codes.
var lines = map[string]int{
	"version":                   0,
	"":                          0, // its help
	"--help":                    0,
	"cluster list --help":       0,
	"completion bash":           0,
	"bogus":                     2,
	"cluster":                   2,
	"cluster bogus":             2,
	"cluster get":               2,
	"cluster get a b":           2,
	"cluster list --bogus":      2,
	"cluster list -z":           2,
	"cluster list --limit many": 2,
	"cluster list --search":     2,
	"cluster list -o xml":       2,
	"cluster fetch prod-eu":     2,
	"cluster fetch prod-eu --all --namespace a":           2,
	"cluster fetch prod-eu --secret web":                  2,
	"cluster fetch prod-eu --rule colour=red":             2,
	"cluster add new":                                     2,
	"cluster edit prod-eu":                                2,
	"cluster config --access all":                         2,
	"cluster delete prod-eu":                              2, // nobody to ask
	"account delete orders-db/app":                        2,
	"user delete ann":                                     2,
	"account delete shop-prod-eu/web --yes":               2, // a Secret
	"account reveal shop-prod-eu/web":                     2, // which key?
	"account reset orders-db/app --generate --version 2":  2,
	"account get orders-db/nobody":                        4,
	"mapping add orders-db/app prod-eu/shop/web":          2,
	"mapping add orders-db/app prod-eu/shop/nothing/k":    4,
	"mapping delete prod-eu/shop/web/other --yes":         4,
	"mapping edit prod-eu/shop/web/PASSWORD":              2,
	"mapping edit prod-eu/shop/web/PASSWORD --on-write x": 2,
	"user create bob --role king":                         2,
	"grant create --user ann --group ops --level use":     2,
	"grant create --user ann --level use":                 2,
	"grant delete none --yes":                             4,
	"token create ci":                                     2,
	"token create ci --scope * --expires never":           2,
	"audit verify --key k":                                2,
	"audit export --from 9 --to 3":                        2,
	"setup --code c --code-file f":                        2,
	"key":                                                 2,
	"key remove":                                          2,
	"key remove 1":                                        2, // nobody to ask
	"key remove 9 --yes":                                  4,
	"key root":                                            2,
	"key root --passphrase --yes":                         2, // nobody to ask for it
	"server next-root-key":                                2,
	"server next-root-key --data d more":                  2,
	"login":                                               2,
	"server":                                              2,
	"server --data d --tls-cert c":                        2,
	"server --data d --log-level loud":                    2,
}

func TestUsage(t *testing.T) {
	for line, want := range lines {
		w := newWorld(t)
		r := w.run("", strings.Fields(line)...)
		if r.code != want {
			t.Errorf("keyturn %s: %+v, want code %d", line, r, want)
		}
		if want != 0 && (r.out != "" || !strings.Contains(r.err, "error: ")) {
			t.Errorf("keyturn %s: %+v", line, r)
		}
		if slices.ContainsFunc(w.seen, func(s string) bool { return want == 2 && !strings.HasPrefix(s, "GET ") }) {
			t.Errorf("keyturn %s changed something: %v", line, w.seen)
		}
	}
}

// TestValuesComeFromFilesOnly gives each command that takes a value one, by file and by standard input.
func TestValuesComeFromFilesOnly(t *testing.T) {
	for line, route := range map[string]string{
		"cluster test new --url https://k.example --token-file F":               "POST /api/v1/clusters/test",
		"cluster add new --url https://k.example --token-file F":                "POST /api/v1/clusters",
		"cluster edit prod-eu --token-file F":                                   "PATCH /api/v1/clusters/c1",
		"cluster edit prod-eu --url https://new.example --token-file F":         "PATCH /api/v1/clusters/c1",
		"account create orders-db/app --value-file F":                           "POST /api/v1/resources/orders-db/accounts",
		"account edit orders-db/app --value-file F":                             "PATCH /api/v1/accounts/a1",
		"account reset orders-db/app --value-file F --wait":                     "POST /api/v1/accounts/a1/reset",
		"user create bob --role user --password-file F":                         "POST /api/v1/users",
		"user password ann --current-file " + os.DevNull + " --password-file F": "POST /api/v1/users/ann/password",
		"login --username ann --password-file F":                                "POST /api/v1/session",
		"setup --code-file " + os.DevNull + " --username ann --password-file F": "POST /api/v1/setup",
		"key root --passphrase-file F --yes":                                    "POST /api/v1/keys/root",
		"setup --code-file F --username ann --password-file " + os.DevNull:      "POST /api/v1/setup",
	} {
		for _, stdin := range []bool{false, true} {
			w := newWorld(t)
			in, file := "", ""
			if stdin {
				in, file = canary+"\n", "-"
			} else {
				file = w.file(canary + "\r\n")
			}
			args := strings.Fields(line)
			args[slices.Index(args, "F")] = file
			r := w.run(in, args...)
			if r.code != 0 || strings.Contains(r.out+r.err, canary) {
				t.Errorf("%s: %+v", line, r)
			}
			sent := 0
			for _, s := range w.seen {
				where, body, _ := strings.Cut(strings.TrimPrefix(s, route+" "), " ")
				switch {
				case strings.HasPrefix(s, route+" "):
					sent += strings.Count(s, `:"`+canary+`"`)
				case strings.Contains(where+body, canary):
					t.Errorf("%s: the value is in %s", line, s)
				}
			}
			if sent != 1 {
				t.Errorf("%s: the value was sent %d times: %v", line, sent, w.seen)
			}
		}
	}
}

// TestAValueInTheWrongPlaceIsNotRepeated is for those who put a value where it does not belong.
func TestAValueInTheWrongPlaceIsNotRepeated(t *testing.T) {
	w := newWorld(t)
	for _, line := range []string{
		"account reset orders-db/app --value-file V", "account reset orders-db/app --value V", "account reset orders-db/app --value=V",
		"account reset orders-db/app V", "account reset orders-db/app -pV", "account reset orders-db/app --version V",
		"cluster add new --url https://k.example --token-file V", "cluster add new --token V", "cluster bogus V", "account V",
		"login --username ann --password-file V", "login --password=V", "login -p V", "login V", "user create bob --role V",
		"user create bob --role user --password-file V", "setup --code-file V --username u --password-file V", "token create x --scope a --expires V",
	} {
		args := strings.Fields(strings.ReplaceAll(line, "V", canary))
		r := w.run("", args...)
		if r.code != exitUsage || strings.Contains(r.out+r.err, canary) {
			t.Errorf("%s: %+v", line, r)
		}
	}
}

func TestRevealPrintsTheValueAsItIs(t *testing.T) {
	w := newWorld(t)
	if r := w.run("", "account", "reveal", "orders-db/app"); r.out != canary || r.err != "" {
		t.Errorf("%+v", r)
	}
	if r := w.run("", "account", "reveal", "shop-prod-eu/web", "--key", "tls.key"); r.out != "\x00\xff\x01" || r.err != "" {
		t.Errorf("%+v", r)
	}
}

func TestDownloadToAFileIsForItsOwner(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(t.TempDir(), "secret.json")
	r := w.run("", "account", "download", "shop-prod-eu/web", "--file", path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || strings.Contains(r.out+r.err, canary) {
		t.Errorf("%+v, %v, %v", r, info, err)
	}
}

func TestClusterAddPrintsTheReportOfARefusal(t *testing.T) {
	w := newWorld(t)
	w.answers["POST /clusters"] = client.Problem{Type: "urn:keyturn:problem:cluster-test-failed", Status: 422, Title: "The cluster did not pass its checks",
		Unchanged: "Nothing was saved.", Report: &client.Report{Checks: []client.Check{{Name: "host", State: "failed", Steps: []client.CheckStep{
			{Name: "DNS", State: "done"}, {Name: "TLS", State: "failed", Cause: "The certificate is not signed by the CA.", Cure: "Import the CA below."}}},
			{Name: "api", State: "to_do"}},
			Chain:   []client.Certificate{{Subject: "CN=k", Issuer: "CN=ca", SHA256: "ab12", NotAfter: noon}},
			Missing: []string{"list secrets"}, MissingManifest: "kind: ClusterRole\n", Known: "old", Removed: true}}
	r := w.run(canary, "cluster", "add", "new", "--url", "https://k.example", "--token-file", "-")
	want := `1. Is the host reachable and trusted?  failed
   done    DNS
   failed  TLS
           cause: The certificate is not signed by the CA.
           cure: Import the CA below.
2. Is it a Kubernetes API server?  to do
   presented: CN=k, issued by CN=ca, until 2027-01-02 12:00:00Z
           SHA-256 ab12
   missing right: list secrets
   this adds them; apply it with kubectl:
kind: ClusterRole
This is cluster old, which was removed; --reattach continues it.
error: The cluster did not pass its checks
unchanged: Nothing was saved.
`
	if r.code != exitFailed || r.out != "" || r.err != want {
		t.Errorf("%+v", r)
	}
	w.answers["POST /clusters/prod-eu/test"] = client.Report{Checks: []client.Check{{Name: "host", State: "failed"}}}
	if r := w.run("", "cluster", "test", "prod-eu"); r.code != exitFailed || !strings.Contains(r.out, "failed") {
		t.Errorf("%+v", r)
	}
}

func TestASavedClusterIsTestedWithChanges(t *testing.T) {
	w := newWorld(t)
	w.answers["POST /clusters/c1/test"] = client.Report{OK: true}
	r := w.run(canary, "cluster", "test", "prod-eu", "--token-file", "-", "--access", "read-only")
	want := `POST /api/v1/clusters/c1/test {"token":"` + canary + `","scope":{"access":"read-only"}}`
	if got := w.seen[len(w.seen)-1]; r.code != 0 || got != want || strings.Contains(r.out+r.err, canary) {
		t.Errorf("sent %s, %+v", got, r)
	}
	if r := w.run("", "cluster", "test", "prod-eu", "--ca-file", w.env["KEYTURN_CACERT"]); r.code != exitUsage {
		t.Errorf("a new CA without the token: %+v", r)
	}
}

func TestMappingThatDiffersSaysHowToDecide(t *testing.T) {
	w := newWorld(t)
	w.answers["POST /mappings"] = client.Problem{Type: client.Differs, Status: 409, Title: "The values differ"}
	r := w.run("", "mapping", "add", "orders-db/app", "prod-eu/shop/web/PASSWORD")
	if r.code != exitConflict || !strings.Contains(r.err, "--keep vault") || !strings.Contains(r.err, "--keep cluster") {
		t.Errorf("%+v", r)
	}
}

func TestResetPolicy(t *testing.T) {
	w := newWorld(t)
	for line, body := range map[string]string{
		"":            `{}`,
		"--generate":  `{}`,
		"--version 2": `{"version":2}`,
		"--length 40 --alphabets lower,digits --exclude il1 --require digits=2": `{"policy":{"length":40,"alphabets":["lower","digits"],"exclude":"il1","require":{"digits":2}}}`,
		"--exclude= ": `{"policy":{"exclude":""}}`,
	} {
		w.seen = nil
		r := w.run("", append([]string{"account", "reset", "orders-db/app"}, strings.Fields(line)...)...)
		if got := w.seen[len(w.seen)-1]; r.code != 0 || got != "POST /api/v1/accounts/a1/reset "+body {
			t.Errorf("%s: %s, %+v", line, got, r)
		}
	}
}

func TestListsGoOverAllPages(t *testing.T) {
	w := newWorld(t)
	w.answers["GET /clusters"] = func(r *http.Request) any {
		if r.URL.Query().Get("cursor") == "" {
			return client.Page[client.Cluster]{Items: []client.Cluster{{Name: "a"}, {Name: "b"}}, Next: "x", Total: 3}
		}
		return client.Page[client.Cluster]{Items: []client.Cluster{{Name: "c"}}, Total: 3}
	}
	if r := w.run("", "cluster", "list", "-o", "name"); r.out != "a\nb\nc\n" {
		t.Errorf("%+v", r)
	}
	if r := w.run("", "cluster", "list", "-o", "name", "--limit", "1", "--state", "in sync"); r.out != "a\n" {
		t.Errorf("%+v", r)
	}
	if last := w.seen[len(w.seen)-1]; !strings.Contains(last, "limit=1&state=in_sync") {
		t.Errorf("sent %s", last)
	}
	w.answers["GET /clusters"] = client.Page[client.Cluster]{}
	if r := w.run("", "cluster", "list"); r.out != "" || r.err != "Nothing found.\n" || r.code != 0 {
		t.Errorf("%+v", r)
	}
	if r := w.run("", "cluster", "list", "-o", "json"); r.out != "{\n  \"items\": [],\n  \"total\": 0\n}\n" {
		t.Errorf("%+v", r)
	}
}

func TestServerFlags(t *testing.T) {
	got := options(t, "server", "--data", "d", "--listen", "127.0.0.1:1", "--tls-cert", "c", "--tls-key", "k", "--allow-loopback-clusters",
		"--log-format", "json", "--log-level", "debug", "--public-url", "https://k.example", "--metrics-listen", "127.0.0.1:2", "--root-key-file", "r")
	want := ServerOptions{Data: "d", Listen: "127.0.0.1:1", TLSCert: "c", TLSKey: "k", AllowLoopbackClusters: true, LogFormat: "json",
		LogLevel: "debug", PublicURL: "https://k.example", MetricsListen: "127.0.0.1:2", RootKeyFile: "r"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got = options(t, "server", "--database", "postgres://h/d", "--passphrase", "--allow-cluster-cidr", "127.0.0.0/8", "--allow-cluster-cidr", "::1/128")
	want = ServerOptions{Database: "postgres://h/d", Passphrase: true, AllowClusterCIDRs: []string{"127.0.0.0/8", "::1/128"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCompletion(t *testing.T) {
	w := newWorld(t)
	for line, want := range map[string]string{
		"cluster get prod":                             "prod-eu\n:4\n",
		"resource get ord":                             "orders-db\n:4\n",
		"account get ord":                              "orders-db/\n:6\n",
		"account get orders-db/":                       "orders-db/app\n:4\n",
		"account get shop-prod-eu/w":                   "shop-prod-eu/web\n:4\n",
		"mapping add orders-db/app prod":               "prod-eu/\n:6\n",
		"mapping add orders-db/app prod-eu/shop/":      "prod-eu/shop/web/\n:6\n",
		"mapping add orders-db/app prod-eu/shop/web/P": "prod-eu/shop/web/PASSWORD\n:4\n",
		"resource create new --type post":              "postgresql\n:4\n",
		"grant list --group o":                         "ops\n:4\n",
		"cluster config --access read-o":               "read-only\nread-write\n:4\n", // the shell chooses
		"cluster get prod-eu more":                     ":4\n",
		"clusters ls --state un":                       "connected\ndegraded\nunauthorised\nunreachable\nuntrusted\n:4\n",
		"account reset x --alphabets lo":               "lower\nupper\ndigits\nsymbols\n:4\n",
		"account reset x --value-file ":                ":0\n",
		"cluster add x --url ":                         ":4\n",
		"server --data ":                               ":16\n",
		"server --tls-key ":                            ":0\n",
	} {
		r := w.run("", append([]string{"__complete"}, strings.Split(line, " ")...)...)
		if r.out != want {
			t.Errorf("%s: %+v", line, r)
		}
	}
	w.server.Close()
	if r := w.run("", "__complete", "cluster", "get", ""); r.out != ":4\n" {
		t.Errorf("without a server: %+v", r)
	}
}

// A list that is cut short says so, where it does not disturb who reads the list.
func TestAListThatIsCutShortSaysSo(t *testing.T) {
	w := newWorld(t)
	p := w.answers["GET /audit"].(client.Page[client.AuditEvent])
	p.Total = 4096
	w.answers["GET /audit"] = p
	for _, format := range []string{"table", "name", "json"} {
		r := w.run("", "audit", "list", "--limit", "1", "-o", format)
		if want := "The first 1 of 4096; --limit 0 shows all.\n"; r.code != 0 || r.err != want || strings.Contains(r.out, "first") {
			t.Errorf("%s: %+v, want %q", format, r, want)
		}
	}
	if r := w.run("", "audit", "list", "--limit", "0"); r.code != 0 {
		t.Errorf("%+v", r)
	}
}
