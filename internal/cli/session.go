package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/keyturn/keyturn/client"
)

// defaultServer is where "keyturn server" listens unless it is told otherwise.
const defaultServer = "https://127.0.0.1:8443"

// session is what login keeps for the commands after it; logout leaves the address and the CA. Its file is for its owner
// only.
type session struct {
	URL       string       `json:"url"`
	CA        string       `json:"ca,omitempty"` // PEM
	User      string       `json:"user,omitempty"`
	Token     client.Value `json:"token,omitzero"`
	ExpiresAt *time.Time   `json:"expiresAt,omitempty"`
}

// sessionFile returns where the session is kept, or "" if there is no place for it.
func (k *command) sessionFile() string {
	if dir := k.Env("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "keyturn", "session.json")
	}
	if home := k.Env("HOME"); home != "" {
		return filepath.Join(home, ".config", "keyturn", "session.json")
	}
	return ""
}

// loadSession returns the session that was kept, an empty one if there is none.
func (k *command) loadSession() (session, error) {
	path := k.sessionFile()
	if path == "" {
		return session{}, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return session{}, nil
	}
	if err != nil {
		return session{}, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return session{}, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return session{}, fmt.Errorf("others may read %s, which holds a session: run chmod 600 on it, or delete it and sign in again", path)
	}
	var s session
	if err := json.NewDecoder(f).Decode(&s); err != nil {
		return session{}, fmt.Errorf("%s is no session: delete it and sign in again", path)
	}
	return s, nil
}

// saveSession keeps s, so that a reader sees the old file or the new one and never a part.
func (k *command) saveSession(s session) error {
	path := k.sessionFile()
	if path == "" {
		return errors.New("there is no place to keep the session: set HOME or XDG_CONFIG_HOME, or use KEYTURN_TOKEN")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("keep the session: %w", err)
	}
	return writeFile(path, append(text, '\n'))
}

// writeFile replaces path by a file that only its owner reads.
func writeFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".keyturn-*") // made with 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// target is the server that a command speaks to.
type target struct {
	url   string
	ca    []byte
	token client.Value
}

// target puts together flags, environment and session. The session's secret and CA go to the session's server only.
func (k *command) target() (target, error) {
	kept, err := k.loadSession()
	if err != nil && k.Env("KEYTURN_TOKEN") == "" {
		return target{}, err
	}
	t := target{url: k.server}
	for _, other := range []string{k.Env("KEYTURN_URL"), kept.URL, defaultServer} {
		if t.url == "" {
			t.url = other
		}
	}
	t.url = strings.TrimRight(t.url, "/")
	if t.url == kept.URL {
		t.ca, t.token = []byte(kept.CA), kept.Token
	}
	if path := k.Env("KEYTURN_CACERT"); path != "" {
		if t.ca, err = os.ReadFile(path); err != nil {
			return target{}, fmt.Errorf("read KEYTURN_CACERT: %w", err)
		}
	}
	if token := strings.TrimSpace(k.Env("KEYTURN_TOKEN")); token != "" {
		t.token = client.NewValue(token)
	}
	return t, nil
}

func (k *command) connectTo(t target) (*client.Client, error) {
	return client.New(client.Config{URL: t.url, CAPEM: t.ca, Token: t.token, UserAgent: "keyturn-cli/" + k.Version})
}

// connect returns a client for the server that the flags, the environment or the last login name.
func (k *command) connect() (*client.Client, error) {
	t, err := k.target()
	if err != nil {
		return nil, err
	}
	return k.connectTo(t)
}
