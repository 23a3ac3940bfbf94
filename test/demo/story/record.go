package story

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type event struct{ Actor, Action, Object, Outcome string }

func listAudit(ctx context.Context, s *Stage) error {
	l, err := ask[list[event]](ctx, s, s.anna, "audit", "list")
	if err != nil {
		return err
	}
	if len(l.Items) < 50 {
		return fmt.Errorf("only %d events are recorded", len(l.Items))
	}
	return nil
}

func provedList(ctx context.Context, s *Stage) (string, error) {
	for outcome, who := range map[string]string{"refused": s.bob.name, "allowed": s.anna.name} {
		l, err := ask[list[event]](ctx, s, s.anna, "audit", "list", "--action", "account.reveal", "--outcome", outcome)
		if err != nil {
			return "", err
		}
		if len(l.Items) == 0 {
			return "", fmt.Errorf("no reveal is recorded as %s", outcome)
		}
		for _, e := range l.Items {
			if e.Actor != who {
				return "", fmt.Errorf("a reveal by %q is recorded as %s", e.Actor, outcome)
			}
		}
	}
	return "her reveals are recorded as allowed, his as refused", nil
}

func exportAudit(ctx context.Context, s *Stage) error {
	// Committed events get their place in the log within a second.
	err := poll(ctx, "the log has every event", func() error {
		v, err := ask[struct {
			State, Key  string
			Unsequenced int
		}](ctx, s, s.anna, "audit", "verify")
		if err != nil {
			return final(err)
		}
		s.auditKey = v.Key
		if v.Unsequenced > 0 {
			return fmt.Errorf("%d events have no place yet", v.Unsequenced)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.exportFile = filepath.Join(s.folder, "audit.jsonl")
	_, err = s.admin(ctx, "audit", "export", "--file", s.exportFile)
	return err
}

// provedExport lets the program verify the file without a server, and does it once more with nothing but RFC 6962.
func provedExport(ctx context.Context, s *Stage) (string, error) {
	if _, err := s.offline(ctx, s.exportFile); err != nil {
		return "", err
	}
	text, err := os.ReadFile(s.exportFile)
	if err != nil {
		return "", err
	}
	n, err := recount(text, s.auditKey)
	return fmt.Sprintf("the tree over its %d entries is the signed one, recomputed here", n), err
}

// offline verifies an export as somebody without a server, with the key that was noted before.
func (s *Stage) offline(ctx context.Context, file string) (string, error) {
	return execute(ctx, s.cfg.Program, s.nobody, "", "audit", "verify", "--file", file, "--key", s.auditKey, "-o", "json", "--server", "https://127.0.0.1:1")
}

// recount proves an export from entry 0 on: the Merkle tree of the entries' texts has the root that the note at its head
// states, and the note is signed by key. It returns the number of entries.
func recount(export []byte, key string) (int64, error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(bytes.NewReader(export))
	lines.Buffer(nil, 1<<20)
	var head struct{ Head string }
	var leaves []tlog.Hash
	for first := true; lines.Scan(); first = false {
		if first {
			if err := json.Unmarshal(lines.Bytes(), &head); err != nil {
				return 0, err
			}
			continue
		}
		var entry struct {
			Seq  *int64
			Body json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
			return 0, err
		}
		if entry.Seq == nil { // an intermediate head
			continue
		}
		if *entry.Seq != int64(len(leaves)) {
			return 0, fmt.Errorf("entry %d stands in place %d", *entry.Seq, len(leaves))
		}
		leaves = append(leaves, tlog.RecordHash(entry.Body))
	}
	if len(leaves) == 0 {
		return 0, errors.New("the export holds no entry")
	}
	signed, err := note.Open([]byte(head.Head), note.VerifierList(verifier))
	if err != nil {
		return 0, err
	}
	want := strings.Split(signed.Text, "\n")
	if len(want) < 3 || want[1] != strconv.Itoa(len(leaves)) || want[2] != merkle(leaves).String() {
		return 0, errors.New("the entries do not give the signed root")
	}
	return int64(len(leaves)), lines.Err()
}

// merkle returns the root of RFC 6962 over the leaves, of which there is at least one.
func merkle(leaves []tlog.Hash) tlog.Hash {
	if len(leaves) == 1 {
		return leaves[0]
	}
	half := 1
	for half*2 < len(leaves) {
		half *= 2
	}
	return tlog.NodeHash(merkle(leaves[:half]), merkle(leaves[half:]))
}

// tamperExport turns his refused reveal into an allowed one.
func tamperExport(_ context.Context, s *Stage) error {
	text, err := os.ReadFile(s.exportFile)
	if err != nil {
		return err
	}
	forged, seq, err := tamper(text)
	if err != nil {
		return err
	}
	s.forgedSeq = seq
	return os.WriteFile(s.forgedFile(), forged, 0o600)
}

func (s *Stage) forgedFile() string { return s.exportFile + ".forged" }

// tamper changes the outcome of the first refused reveal in an export, and returns its number.
func tamper(export []byte) ([]byte, int64, error) {
	lines := bytes.SplitAfter(export, []byte("\n"))
	for i, line := range lines {
		if !bytes.Contains(line, []byte(`"account.reveal"`)) || !bytes.Contains(line, []byte(`"refused"`)) {
			continue
		}
		var entry struct{ Seq int64 }
		if err := json.Unmarshal(line, &entry); err != nil {
			return nil, 0, err
		}
		lines[i] = bytes.Replace(line, []byte(`"refused"`), []byte(`"allowed"`), 1)
		return bytes.Join(lines, nil), entry.Seq, nil
	}
	return nil, 0, errors.New("the export has no refused reveal")
}

func provedTamper(ctx context.Context, s *Stage) (string, error) {
	out, err := s.offline(ctx, s.forgedFile())
	exit, ok := errors.AsType[*exitError](err)
	if !ok || exit.code != exitFailed {
		return "", fmt.Errorf("the forged export should end with %d: %w", exitFailed, err)
	}
	var found struct {
		State string
		Bad   int64
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		return "", err
	}
	if found.State != "broken" || found.Bad != s.forgedSeq {
		return "", fmt.Errorf("the forged export is %s at entry %d, and was forged at %d", found.State, found.Bad, s.forgedSeq)
	}
	return fmt.Sprintf("his refusal was forged into a success: entry %d is named", found.Bad), nil
}

// provedClean searches everything that Keyturn and PostgreSQL left on disk for every value of the story.
func provedClean(_ context.Context, s *Stage) (string, error) {
	values := slices.Concat(s.secrets, []string{s.anna.password, s.bob.password})
	n := 0
	look := func(path string) error {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n++
		return absent(b, path, values)
	}
	err := errors.Join(look(s.server.log()), look(s.postgres.LogPath), look(s.exportFile))
	walk := filepath.WalkDir(s.server.data(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return look(path)
	})
	if n < 5 {
		walk = errors.Join(walk, fmt.Errorf("only %d files were there to be searched", n))
	}
	return fmt.Sprintf("%d files searched for %d values, also in base64", n, len(values)), errors.Join(err, walk)
}
