package story

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
)

// object reads a place's Secret with kubectl, field managers included.
func (s *Stage) object(ctx context.Context, at place) (object, error) {
	return s.sites[at.site].secret(ctx, at.namespace, at.secret)
}

func (s *site) secret(ctx context.Context, namespace, name string) (object, error) {
	out, err := s.kubectl(ctx, "", "-n", namespace, "get", "secret", name, "-o", "json", "--show-managed-fields")
	if err != nil {
		return nil, err
	}
	var o object
	return o, json.Unmarshal([]byte(out), &o)
}

// value returns what stands in a key of a Secret that kubectl read.
func value(o object, key string) (string, error) {
	d, _ := o["data"].(object)
	text, ok := d[key].(string)
	if !ok {
		return "", fmt.Errorf("kubectl: the Secret has no key %s", key)
	}
	b, err := base64.StdEncoding.DecodeString(text)
	return string(b), err
}

// password returns the one that stands in the place of a Secret that kubectl read.
func (p place) password(o object) (string, error) {
	v, err := value(o, p.key)
	if err == nil && p.format != "" {
		v, err = dsnPassword(v)
	}
	return v, err
}

// untouched fails if anything of a Secret but the key, its writer and the version of the whole changed.
func untouched(before, after object, key string) error {
	a, err := without(before, key)
	if err != nil {
		return err
	}
	b, err := without(after, key)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(a, b) {
		return errors.New("kubectl: more than the mapped key of the Secret was changed")
	}
	return nil
}

// without returns a copy of the object that lacks what a write of the key may change.
func without(o object, key string) (object, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	var c object
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, err
	}
	meta, _ := c["metadata"].(object)
	d, _ := c["data"].(object)
	delete(meta, "resourceVersion")
	delete(meta, "managedFields")
	delete(d, key)
	return c, nil
}

// managed fails unless the field manager keyturn owns the key alone, and nothing else.
func managed(o object, key string) error {
	meta, _ := o["metadata"].(object)
	entries, _ := meta["managedFields"].([]any)
	found := false
	for _, e := range entries {
		entry, _ := e.(object)
		fields, _ := entry["fieldsV1"].(object)
		ofData, _ := fields["f:data"].(object)
		_, owns := ofData["f:"+key]
		ours := entry["manager"] == "keyturn"
		switch {
		case ours && (!owns || len(ofData) != 1 || len(fields) != 1):
			return errors.New("managedFields: keyturn owns something else than the mapped key")
		case ours:
			found = true
		case owns:
			return fmt.Errorf("managedFields: %v still owns the mapped key", entry["manager"])
		}
	}
	if !found {
		return errors.New("managedFields: keyturn does not own the mapped key")
	}
	return nil
}

// turned proves with kubectl and psql that the key was turned everywhere: one new password in every mapped key, with which the
// role logs in and sees its table; the old one refused; nothing else of the Secrets changed; no password in the log of
// PostgreSQL, which shows every statement. It makes the new value the current one.
func (s *Stage) turned(ctx context.Context) error {
	var found []string
	for i, at := range mapped {
		o, err := s.object(ctx, at)
		if err != nil {
			return err
		}
		v, err := at.password(o)
		if err != nil {
			return err
		}
		if err := errors.Join(untouched(s.before[i], o, at.key), managed(o, at.key)); err != nil {
			return fmt.Errorf("%s: %w", s.path(at), err)
		}
		found = append(found, v)
	}
	if now := slices.Compact(found); len(now) != 1 || now[0] == s.current || len(now[0]) < 16 {
		return errors.New("kubectl: the mapped keys do not hold one new password")
	}
	now := found[0]
	out, err := s.psql(ctx, role, now, "SELECT session_user, count(*) FROM orders")
	if err != nil {
		return err
	}
	if strings.TrimSpace(out) != role+"|2" {
		return fmt.Errorf("psql: logged in with the new password as %q", out)
	}
	if err := s.locked(ctx, role, s.current); err != nil {
		return err
	}
	s.secrets = append(s.secrets, now)
	s.current = now
	return s.postgresLogClean()
}

// postgresLogClean searches PostgreSQL's log for every value, in vain.
func (s *Stage) postgresLogClean() error {
	log, err := os.ReadFile(s.postgres.LogPath)
	if err != nil {
		return err
	}
	if !strings.Contains(string(log), "SCRAM-SHA-256$4096:") {
		return errors.New("PostgreSQL's log does not show the statement that changed the password, so it proves nothing")
	}
	return absent(log, "PostgreSQL's log", s.secrets)
}

// absent fails if one of the values stands in text, as it is or in base64.
func absent(text []byte, where string, values []string) error {
	for i, v := range values {
		for _, form := range []string{v, base64.StdEncoding.EncodeToString([]byte(v))} {
			if strings.Contains(string(text), form) {
				return fmt.Errorf("value number %d stands in %s", i+1, where)
			}
		}
	}
	return nil
}

// same fails unless both sets of names are equal.
func same(what string, got, want []string) error {
	slices.Sort(got)
	slices.Sort(want)
	got, want = slices.Compact(got), slices.Compact(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s: keyturn has %s, kubectl has %s", what, strings.Join(got, " "), strings.Join(want, " "))
	}
	return nil
}

// meta is what kubectl tells of a Secret beside its data.
type meta struct {
	Type     string
	Metadata struct{ Namespace, Name string }
}

// list returns the Secrets of the site, as kubectl sees them.
func (s *site) list(ctx context.Context) ([]meta, error) {
	out, err := s.kubectl(ctx, "", "get", "secrets", "-A", "-o", "json")
	if err != nil {
		return nil, err
	}
	var l list[meta]
	return l.Items, json.Unmarshal([]byte(out), &l)
}

func (m meta) path() string { return m.Metadata.Namespace + "/" + m.Metadata.Name }
