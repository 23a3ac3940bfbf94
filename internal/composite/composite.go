package composite

import (
	"bytes"
	"cmp"
	"slices"
	"unicode/utf8"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// Part is what a value holds of one account.
type Part struct {
	// User is the user name; nil when the format or the Spec has no place for one.
	User *string
	// Password is empty when Hashed. Who is done with it calls Wipe.
	Password vault.Value
	// Hashed says that only a hash of the password is stored (htpasswd): [Part.Holds] still answers.
	Hashed bool

	verify func(password []byte) bool
	what   Holds
	whole  vault.Value // of a hash
}

// Stands reports whether what stands there is that account's: its password, its user name or both, as the Spec says.
func (p Part) Stands(user string, password vault.Value) bool {
	if p.what != HoldsPassword && (p.User == nil || *p.User != user) {
		return false
	}
	return p.what == HoldsUser || p.Holds(password)
}

// Known returns what the part is known by, to be made a fingerprint of: nobody knows the password of a hash, so the whole
// value stands for it.
func (p Part) Known() vault.Value {
	switch {
	case p.Hashed:
		return p.whole
	case p.what == HoldsUser && p.User != nil:
		return vault.NewValue([]byte(*p.User))
	case p.what == HoldsBoth && p.User != nil:
		return Both(*p.User, p.Password)
	}
	return p.Password
}

// Both is what a user name and a password together are known by.
func Both(user string, password vault.Value) vault.Value {
	var joined []byte
	_ = password.Expose(func(b []byte) error { joined = append(append([]byte(user), 0), b...); return nil })
	return vault.NewValue(joined)
}

// Holds reports whether the stored password is that one. For a hash it costs what the hash costs.
func (p Part) Holds(password vault.Value) bool {
	if p.verify == nil {
		return p.Password.Equal(password)
	}
	ok := false
	_ = password.Expose(func(b []byte) error { ok = p.verify(b); return nil })
	return ok
}

// Find returns the part of whole that s names. It fails with fault.Invalid, with one of this package's codes, when s
// or whole is not right, and when what is stored could not be written back by [Replace]; with fault.TooLarge beyond
// [MaxBytes].
func Find(s Spec, whole vault.Value) (Part, error) {
	var p Part
	err := open(s, whole, func(f format, b []byte, r reading) error {
		if r.verify == nil {
			out, err := r.rewrite(f, s, b, r.user, r.password, true)
			clear(out)
			if err != nil {
				return unreadable("what stands there could not be written back the same", "write it plainly, or map the whole value")
			}
		}
		p = Part{Password: vault.NewValue(bytes.Clone(r.password)), Hashed: r.verify != nil, verify: r.verify, what: s.Holds, whole: whole}
		if r.hasUser {
			user := string(r.user)
			p.User = &user
		}
		return nil
	})
	return p, err
}

// Replace returns whole with the password at s exchanged, and the user name too if user is not nil; all other bytes are
// the same. A part that is the same already keeps its bytes. It fails as [Find] does, and with the code [CodeUnfit] when
// the new user name or password cannot stand there.
func Replace(s Spec, whole vault.Value, user *string, password vault.Value) (vault.Value, error) {
	var replaced vault.Value
	err := open(s, whole, func(f format, b []byte, r reading) error {
		name := r.user
		if user != nil {
			if !r.hasUser {
				return missing("this value has no place for the user name", "say where it stands, or replace the password alone")
			}
			name = []byte(*user)
		}
		return password.Expose(func(pw []byte) error {
			if s.Holds == HoldsUser {
				pw = r.password
			}
			if err := r.carries(f, name, pw); err != nil {
				return err
			}
			out, err := r.rewrite(f, s, b, name, pw, false)
			if err != nil {
				return err
			}
			replaced = vault.NewValue(out)
			return nil
		})
	})
	return replaced, err
}

// open reads whole and calls f with what was found; the reading's plaintext is wiped afterwards.
func open(s Spec, whole vault.Value, use func(f format, b []byte, r reading) error) error {
	if err := s.Check(); err != nil {
		return err
	}
	f, _ := lookup(cmp.Or(s.Format, Whole))
	return whole.Expose(func(b []byte) error {
		r, err := f.readChecked(s, b)
		if err != nil {
			return err
		}
		defer r.wipe()
		return use(f, b, r)
	})
}

// readChecked is read with the limits that all formats share.
func (f format) readChecked(s Spec, b []byte) (reading, error) {
	switch {
	case len(b) > MaxBytes:
		return reading{}, fault.New(fault.TooLarge, "the stored value is longer than 1 MiB").WithCure("map a smaller one")
	case f.binary:
	case !utf8.Valid(b):
		return reading{}, unreadable("the stored value is not UTF-8 text", "map the whole value")
	case bytes.HasPrefix(b, []byte("\ufeff")):
		return reading{}, unreadable("the stored value begins with a byte order mark, which some readers take for text",
			"store it without the mark")
	case bytes.IndexByte(b, 0) >= 0:
		return reading{}, unreadable("the stored value has a NUL byte", "map the whole value")
	}
	r, err := f.read(s, b)
	if err == nil && s.Holds == HoldsBoth && !r.hasUser {
		err = missing("this value has no place for the user name", "say where it stands, or map the password alone")
	}
	if err != nil {
		r.wipe()
		return reading{}, err
	}
	if !f.binary && !(text(r.user) && text(r.password)) {
		r.wipe()
		return reading{}, unreadable("the user name or password that stands there is not text", "map the whole value")
	}
	return r, nil
}

// text reports whether b is UTF-8 without NUL, which is what any format but whole can hold.
func text(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }

// part is what of an account stands at a place.
type part uint8

const (
	userPart part = 1 << iota
	passwordPart
)

// place is one stretch [start, end) of the stored bytes, and how new texts are written there.
type place struct {
	start, end int
	holds      part
	write      func(user, password []byte) ([]byte, error)
}

// reading is what a reader found. user and password are copies.
type reading struct {
	user, password []byte
	hasUser        bool
	places         []place
	// verify is set if only a hash is stored; password is then empty.
	verify func(password []byte) bool
	// outline stands for all that the document says outside the places, for formats in which a changed scalar might
	// change how its surroundings are read.
	outline [32]byte
}

func (r *reading) wipe() { clear(r.user); clear(r.password) }

// addUser notes where the user name stands; text is taken over.
func (r *reading) addUser(start, end int, text []byte, write func([]byte) ([]byte, error)) {
	r.user, r.hasUser = text, true
	r.places = append(r.places, place{start, end, userPart, func(user, _ []byte) ([]byte, error) { return write(user) }})
}

// addPassword notes where the password stands; text is taken over.
func (r *reading) addPassword(start, end int, text []byte, write func([]byte) ([]byte, error)) {
	r.password = text
	r.places = append(r.places, place{start, end, passwordPart, func(_, password []byte) ([]byte, error) { return write(password) }})
}

// carries refuses new texts that no format but whole can hold.
func (r *reading) carries(f format, user, password []byte) error {
	sameUser, samePassword := bytes.Equal(user, r.user), r.verify == nil && bytes.Equal(password, r.password)
	switch {
	case !samePassword && len(password) == 0:
		return unfit("the new password is empty", "give it at least one character")
	case !sameUser && len(user) == 0:
		return unfit("the new user name is empty", "give it at least one character")
	case !f.binary && (!sameUser && len(user) > maxText || !samePassword && len(password) > maxText):
		return unfit("the new text is longer than 64 KiB", "use a shorter one")
	case !f.binary && !(text(user) && text(password)):
		return unfit("the new text is not UTF-8 or has a NUL byte", "use other characters")
	}
	return nil
}

// rewrite returns b with user and password at the places, and proves it by reading the result. Places whose text is the
// same keep their bytes unless force is set. The answer is always a new slice.
func (r *reading) rewrite(f format, s Spec, b, user, password []byte, force bool) ([]byte, error) {
	var changed part
	if !bytes.Equal(user, r.user) || force {
		changed |= userPart
	}
	if r.verify != nil && !r.verify(password) || r.verify == nil && !bytes.Equal(password, r.password) || force {
		changed |= passwordPart
	}
	places := slices.Clone(r.places)
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.start, b.start) })
	out, want, err := splice(b, places, changed, user, password)
	if err != nil {
		return nil, err
	}
	if err := r.proveSame(f, s, out, want, user, password); err != nil {
		clear(out)
		return nil, err
	}
	return out, nil
}

// splice exchanges the changed ones of places, which are sorted, and returns where each stands afterwards.
func splice(b []byte, places []place, changed part, user, password []byte) (out []byte, want []place, err error) {
	texts := make([][]byte, len(places))
	size, from := len(b), 0
	for i, p := range places {
		if p.start < from {
			return nil, nil, ambiguous("user name and password stand at the same place", "name two places")
		}
		from = p.end
		texts[i] = b[p.start:p.end]
		if p.holds&changed != 0 {
			if texts[i], err = p.write(user, password); err != nil {
				return nil, nil, err
			}
			defer clear(texts[i])
		}
		size += len(texts[i]) - (p.end - p.start)
	}
	out, from = make([]byte, 0, size), 0 // grown on the way, it would leave copies of the plaintext behind
	for i, p := range places {
		out = append(out, b[from:p.start]...)
		start := len(out)
		out = append(out, texts[i]...)
		want = append(want, place{start: start, end: len(out)})
		from = p.end
	}
	return append(out, b[from:]...), want, nil
}

// proveSame reads out and fails unless it holds exactly user and password, at the places want.
func (r *reading) proveSame(f format, s Spec, out []byte, want []place, user, password []byte) error {
	const msg, cure = "the new text cannot stand there without being misread", "use other characters"
	again, err := f.readChecked(s, out)
	if fault.KindOf(err) == fault.TooLarge {
		return err
	}
	if err != nil {
		return unfit(msg, cure)
	}
	defer again.wipe()
	slices.SortFunc(again.places, func(a, b place) int { return cmp.Compare(a.start, b.start) })
	same := slices.EqualFunc(again.places, want, func(a, b place) bool { return a.start == b.start && a.end == b.end })
	if !same || again.hasUser != r.hasUser || again.outline != r.outline || !bytes.Equal(again.user, user) {
		return unfit(msg, cure)
	}
	if r.verify == nil && !bytes.Equal(again.password, password) {
		return unfit(msg, cure)
	}
	return nil
}

func readWhole(s Spec, b []byte) (reading, error) {
	var r reading
	if s.Holds == HoldsUser {
		if !text(b) {
			return r, unreadable("the user name that stands there is not text", "map another key")
		}
		r.addUser(0, len(b), bytes.Clone(b), copied)
		return r, nil
	}
	r.addPassword(0, len(b), bytes.Clone(b), copied)
	return r, nil
}

// copied writes a text as it is.
func copied(b []byte) ([]byte, error) { return bytes.Clone(b), nil }

// lines calls f with the bounds of each line of b, its end (LF or CRLF) left out, until f returns false.
func lines(b []byte) func(f func(start, end int) bool) {
	return func(f func(start, end int) bool) {
		for start := 0; start < len(b); {
			end, next := len(b), len(b)
			if n := bytes.IndexByte(b[start:], '\n'); n >= 0 {
				end, next = start+n, start+n+1
			}
			if end > start && b[end-1] == '\r' {
				end--
			}
			if !f(start, end) {
				return
			}
			start = next
		}
	}
}

// blank reports whether c is a space or tab.
func blank(c byte) bool { return c == ' ' || c == '\t' }

// only reports whether all of b is in allowed, letters and digits included.
func only(b []byte, allowed string) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return !alphanumeric(c) && !bytes.Contains([]byte(allowed), []byte{c}) })
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// as returns a writer that refuses what ok does not accept and writes the rest as it is.
func as(ok func([]byte) bool, msg string) func([]byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		if !ok(b) {
			return nil, unfit(msg, "use other characters")
		}
		return bytes.Clone(b), nil
	}
}
