package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/keyturn/keyturn/client"
)

// reply is what a person types when they see a prompt. A hidden one waits until the terminal no longer shows it.
type reply struct {
	prompt, text string
	hidden       bool
}

// person runs a command at a terminal of 80 columns, answers its prompts in order, and returns all that was to be seen.
func (w *world) person(replies []reply, args ...string) (code int, screen string) {
	w.t.Helper()
	master, terminal := openTerminal(w.t)
	seen := make(chan string)
	go func() { seen <- sit(master, replies) }()
	k := &command{now: func() time.Time { return noon }, poll: time.Millisecond,
		Streams: Streams{In: terminal, Out: terminal, Err: terminal, Version: "1.2.3", Env: func(name string) string { return w.env[name] }}}
	code = k.run(w.t.Context(), args)
	_ = terminal.Close()
	screen = <-seen
	_ = master.Close()
	return code, screen
}

func openTerminal(t *testing.T) (master, terminal *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "ptmx"), terminal
}

// sit reads what the terminal shows until it is closed.
func sit(master *os.File, replies []reply) string {
	var all, fresh strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := master.Read(buf)
		all.Write(buf[:n])
		fresh.Write(buf[:n])
		if err != nil {
			return all.String()
		}
		if len(replies) == 0 || !strings.Contains(fresh.String(), replies[0].prompt) {
			continue
		}
		for replies[0].hidden && echoes(master) {
			time.Sleep(time.Millisecond)
		}
		_, _ = master.WriteString(replies[0].text + "\n")
		replies = replies[1:]
		fresh.Reset()
	}
}

func echoes(f *os.File) bool {
	state, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil && state.Lflag&unix.ECHO != 0
}

func TestAPersonSignsIn(t *testing.T) {
	w := signedOut(t)
	code, screen := w.person([]reply{{prompt: "Trust it? [y/N]: ", text: "y"}, {prompt: "Name: ", text: "ann"},
		{prompt: "Password of ann: ", text: canary, hidden: true}}, "login")
	if code != 0 || strings.Contains(screen, canary) || !strings.Contains(screen, fingerprint(w.server.Certificate())) {
		t.Errorf("code %d:\n%s", code, screen)
	}
	if r := w.run("", "whoami", "-o", "name"); r.out != "ann\n" {
		t.Errorf("%+v", r)
	}
	w = signedOut(t)
	code, screen = w.person([]reply{{prompt: "Trust it? [y/N]: ", text: ""}}, "login")
	if code != exitUsage || len(w.seen) != 0 {
		t.Errorf("code %d, seen %v:\n%s", code, w.seen, screen)
	}
}

func TestANewPasswordIsAskedForTwice(t *testing.T) {
	w := newWorld(t)
	create := []string{"user", "create", "bob", "--role", "user"}
	code, screen := w.person([]reply{{"Password of the new user: ", canary, true}, {"Once more: ", canary, true}}, create...)
	if code != 0 || strings.Contains(screen, canary) {
		t.Errorf("code %d:\n%s", code, screen)
	}
	w.seen = nil
	code, screen = w.person([]reply{{"Password of the new user: ", canary, true}, {"Once more: ", "other", true}}, create...)
	if code != exitUsage || len(w.seen) != 0 || strings.Contains(screen, canary) {
		t.Errorf("code %d:\n%s", code, screen)
	}
}

func TestDeletingAsks(t *testing.T) {
	for _, test := range []struct {
		line, prompt, text string
		deleted            bool
	}{
		{"cluster delete prod-eu", "Go on? [y/N]: ", "y", true},
		{"cluster delete prod-eu", "Go on? [y/N]: ", "", false},
		{"cluster delete prod-eu", "Go on? [y/N]: ", "n", false},
		{"account delete orders-db/app", "Type orders-db/app to go on: ", "orders-db/app", true},
		{"account delete orders-db/app", "Type orders-db/app to go on: ", "y", false},
		{"resource delete orders-db", "Type orders-db to go on: ", "orders-db", true},
	} {
		w := newWorld(t)
		code, screen := w.person([]reply{{prompt: test.prompt, text: test.text}}, strings.Fields(test.line)...)
		deleted := strings.HasPrefix(w.seen[len(w.seen)-1], "DELETE ")
		if deleted != test.deleted || (code == 0) != test.deleted {
			t.Errorf("%s, %q: code %d, deleted %v\n%s", test.line, test.text, code, deleted, screen)
		}
	}
}

func TestATerminalGetsNoControlCharactersAndNoLongLines(t *testing.T) {
	w := newWorld(t)
	w.answers["POST /accounts/a1/reveal"] = client.Revealed{Value: client.NewValue("a\x1b]0;title\x07b\nc")}
	if code, screen := w.person(nil, "account", "reveal", "orders-db/app"); code != 0 || screen != "a\ufffd]0;title\ufffdb\r\nc\r\n" {
		t.Errorf("code %d: %q", code, screen)
	}
	code, screen := w.person(nil, "cluster", "list")
	for line := range strings.Lines(screen) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\r\n")); code != 0 || n > 80 {
			t.Errorf("code %d, %d characters: %s", code, n, line)
		}
	}
	if !strings.Contains(screen, "…") || !strings.Contains(screen, "unreachable") {
		t.Errorf("%s", screen)
	}
}

func TestAPersonSeesTheProgressOfAFetch(t *testing.T) {
	w := newWorld(t)
	w.answers["POST /clusters/prod-eu/fetches"] = client.Fetch{ID: "f1", ClusterID: "c1", Kind: "fetch", State: "running", Total: 7}
	code, screen := w.person(nil, "cluster", "fetch", "prod-eu", "--all")
	if code != 0 || !strings.Contains(screen, "fetch of prod-eu: running, 7 seen") || !strings.Contains(screen, "added:      10") {
		t.Errorf("code %d:\n%q", code, screen)
	}
}
