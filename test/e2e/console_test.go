package e2e

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyturn/keyturn/console"
	"github.com/keyturn/keyturn/test/e2e/console/picture"
)

const consoleTimeout = 30 * time.Minute // in which 300 looks are taken, on a machine that does other things too

// consoleStory is one playing of the console's story.
type consoleStory struct {
	hands string      // what the jobs are done with: mouse or keyboard
	role  string      // the login whose password is turned
	keys  [][3]string // what holds it, as namespace, Secret and key
}

// TestConsole plays the console's story in Chromium, from the one-time link to the verified log. The pages say what
// Keyturn believes; whether it is so is asked of kubectl and psql here.
func TestConsole(t *testing.T) {
	playStory(t, consoleStory{
		hands: "mouse", role: "console_app",
		keys: [][3]string{{"store", "db", "password"}, {"invoices", "orders", "DB_PASSWORD"}, {"invoices", "worker", "password"}},
	})
}

// TestConsoleKeyboard plays the same story without a mouse.
func TestConsoleKeyboard(t *testing.T) {
	playStory(t, consoleStory{
		hands: "keyboard", role: "console_keys",
		keys: [][3]string{{"depot", "db", "password"}, {"bills", "orders", "DB_PASSWORD"}, {"bills", "worker", "password"}},
	})
}

// playStory plays s against servers of its own and proves what came of it.
func playStory(t *testing.T, s consoleStory) {
	t.Helper()
	if !console.Built() {
		t.Fatal("the console is not built into this test: run `make console`")
	}
	folder := t.TempDir()
	old := rand.Text() + "-old"
	pictures, err := filepath.Abs(filepath.Join("..", "..", "test-results", s.pictures()))
	must(t, err, picture.Clear(pictures))
	consoleWorld(t, s, old)
	server := startConsole(t, folder)

	out, err := playConsole(t.Context(), t, s, folder, old, server)
	t.Log("\n" + out)
	if err != nil {
		t.Fatal(err)
	}
	provedInConsole(t, s, old)
	if s.hands == "mouse" { // with the keyboard none are taken
		comparePictures(t, pictures, storyBaseline)
	}
}

// consoleWorld makes the role and the Secrets that hold its password.
func consoleWorld(t *testing.T, s consoleStory, password string) {
	t.Helper()
	plane, ctx := bed.clusters.Planes[0], t.Context()
	sql := fmt.Sprintf("SET log_statement = 'none';\nCREATE ROLE %s LOGIN PASSWORD '%s'", s.role, password)
	if _, err := bed.postgres.Psql(ctx, bed.postgres.SuperUser, bed.postgres.SuperPassword, sql); err != nil {
		t.Fatal(err)
	}
	var manifests []string
	for _, ns := range s.namespaces() {
		manifests = append(manifests, fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata: {name: %s}\n", ns))
	}
	for _, k := range s.keys {
		manifests = append(manifests, fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {namespace: %s, name: %s}\nstringData: {%s: %q, other: untouched}\n",
			k[0], k[1], k[2], password))
	}
	if _, err := plane.Kubectl(ctx, strings.Join(manifests, "---\n"), "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
}

// namespaces are those of the keys, in order.
func (s consoleStory) namespaces() []string {
	var out []string
	for _, k := range s.keys {
		out = append(out, k[0])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// pictures is the folder of test-results that its pictures go to.
func (s consoleStory) pictures() string {
	if s.hands == "mouse" {
		return "console"
	}
	return "console-" + s.hands
}

// consoleServer is where the program under test listens, and the token of its one-time link.
type consoleServer struct{ url, token string }

var (
	printsURL   = regexp.MustCompile(`listens on (https://\S+)\n`)
	printsToken = regexp.MustCompile(`https://\S+/setup#(\S+)\n`)
)

// startConsole builds the program, starts it with an empty repository and ends it with the test.
func startConsole(t *testing.T, folder string) consoleServer {
	t.Helper()
	program := filepath.Join(folder, "keyturn")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/keyturn")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	greeting, err := os.Create(filepath.Join(folder, "greeting.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer greeting.Close()
	log, err := os.Create(filepath.Join(folder, "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(program, "server", "--data", filepath.Join(folder, "data"), "--listen", freeAddress(t), "--allow-loopback-clusters")
	cmd.Env = []string{"HOME=" + folder, "PATH=/usr/bin:/bin"}
	cmd.Stdout, cmd.Stderr = greeting, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(cmd.Process.Pid, syscall.SIGTERM)
		end := time.AfterFunc(15*time.Second, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		_ = cmd.Wait()
		end.Stop()
	})
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		text, err := os.ReadFile(greeting.Name())
		if err != nil {
			t.Fatal(err)
		}
		url, token := printsURL.FindSubmatch(text), printsToken.FindSubmatch(text)
		if url != nil && token != nil {
			return consoleServer{url: string(url[1]), token: string(token[1])}
		}
	}
	said, _ := os.ReadFile(log.Name())
	t.Fatalf("the server printed no one-time link within a minute; its log: %s", said)
	return consoleServer{}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// playConsole runs the browser's part and returns what it said. Passwords reach it in files.
func playConsole(ctx context.Context, t *testing.T, s consoleStory, folder, password string, server consoleServer) (string, error) {
	t.Helper()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plane := bed.clusters.Planes[0]
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return "", err
	}
	return inBrowser(ctx, "story.mjs", s.pictures(),
		"STORY_URL="+server.url, "STORY_FOLDER="+folder, "STORY_SETUP_FILE="+file("setup", server.token),
		"STORY_ADMIN_FILE="+file("admin", hex.EncodeToString([]byte(rand.Text()))),
		"STORY_CLUSTER_URL="+plane.URL, "STORY_CLUSTER_CA="+file("ca.crt", string(plane.CAPEM)), "STORY_NAMESPACES="+strings.Join(s.namespaces(), ","),
		"STORY_DB_HOST="+bed.postgres.Host, fmt.Sprint("STORY_DB_PORT=", bed.postgres.Port), "STORY_DB_CA="+bed.postgres.CAFile,
		"STORY_HANDS="+s.hands, "STORY_ROLE="+s.role, "STORY_ROLE_FILE="+file("role", password),
		"STORY_SECRET="+s.keys[0][0]+"/"+s.keys[0][1], "STORY_KEY="+s.keys[0][2],
		"KUBECTL="+filepath.Join(root, "tools", "kube", "bin", "kubectl"), "KUBECONFIG="+plane.Kubeconfig,
	)
}

// inBrowser runs a script of this test's folder with an environment and returns what it said. Its pictures go to a folder
// of test-results.
func inBrowser(ctx context.Context, script, pictures string, env ...string) (string, error) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, consoleTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", filepath.Join("console", script))
	cmd.Env = append(os.Environ(), "STORY_CONSOLE="+filepath.Join(root, "console"), "STORY_OUT="+filepath.Join(root, "test-results", pictures))
	cmd.Env = append(cmd.Env, env...)
	// The browser is a child of node: both go with their group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if cmd.Process != nil {
		if kill := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); kill != nil && !errors.Is(kill, syscall.ESRCH) {
			err = errors.Join(err, kill)
		}
	}
	return string(out), err
}

// provedInConsole reads the keys with kubectl and logs in with psql: one new password stands in all keys and works, and
// the old one does not.
func provedInConsole(t *testing.T, s consoleStory, old string) {
	t.Helper()
	var found []string
	for _, k := range s.keys {
		text, err := bed.clusters.Planes[0].Kubectl(t.Context(), "", "-n", k[0], "get", "secret", k[1], "-o", "jsonpath={.data."+k[2]+"} {.data.other}")
		if err != nil {
			t.Fatal(err)
		}
		value, other, _ := strings.Cut(text, " ")
		plain, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			t.Fatal(err)
		}
		if rest, err := base64.StdEncoding.DecodeString(other); err != nil || string(rest) != "untouched" {
			t.Errorf("%s/%s: another key of the Secret was changed", k[0], k[1])
		}
		found = append(found, string(plain))
	}
	if found = slices.Compact(found); len(found) != 1 || found[0] == old {
		t.Fatalf("the keys hold %d different values, or the old one", len(found))
	}
	if _, err := bed.postgres.Psql(t.Context(), s.role, found[0], "SELECT 1"); err != nil {
		t.Errorf("psql with what stands in the keys: %v", err)
	}
	if _, err := bed.postgres.Psql(t.Context(), s.role, old, "SELECT 1"); err == nil || !strings.Contains(err.Error(), "password authentication failed") {
		t.Errorf("psql with the old password: %v, should be refused", err)
	}
}
