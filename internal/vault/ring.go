package vault

import (
	"cmp"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
)

// What the keys of a ring are for. Any other purpose is a named secret.
const (
	PurposeData        = "data"               // seals values; the newest that is not retired is the active one
	PurposeFingerprint = "fingerprint"        // keys fingerprints; there is one, for ever
	PurposeAuditSeed   = "audit-signing-seed" // named secret: the seed of the key that signs the audit log's tree heads
)

// MaxUses is how many values a data key seals at most. Each record has a key of its own, so
// this is far below where random nonces could meet; it is the bound that an auditor expects to see.
const MaxUses = 1 << 31

// Ring holds the keys of one repository. It is safe for concurrent use.
//
// A change has two halves, so that nothing is ever sealed with a key that is not stored: AddDataKey, AddSecret and
// Rewrap return the rows as they should be and change nothing; the caller replaces the stored rows by them in one
// transaction, refused when they are not the ones that this ring was opened with; then every process calls Refresh, or
// Reopen where the root key is another.
//
// Whoever keeps the count of uses stores that a key is about to seal so many values, and then calls Allot. A ring for
// which nobody does that seals up to MaxUses values with each key.
type Ring struct {
	keys    atomic.Pointer[keySet]
	missing atomic.Pointer[func(id uint32)]

	reopen  sync.Mutex // guards what is below, and keeps two Reopens apart
	counts  map[uint32]*count
	counted bool // Allot was called: a key without an allotment seals nothing
}

// count is how often one data key has sealed in this process, and how often it may. Both only grow.
type count struct {
	uses, allotted atomic.Uint64
	open           bool // nothing was allotted, and nobody counts
}

// keySet is one immutable state of a ring.
type keySet struct {
	wrapper     cipher.AEAD
	rows        []RingKey
	plain       map[uint32][]byte
	data        map[uint32]*dataKey
	active      *dataKey
	fingerprint *keyedMAC
	alias       cipher.Block
}

type dataKey struct {
	id    uint32
	prk   *keyedMAC // under HKDF's extracted key; the expansion is per record
	count *count
}

// NewRing returns the ring of a new repository (a data key, a fingerprint key, the audit log's signing seed) and the
// rows to store before the ring is used.
func NewRing(root RootKey) (*Ring, []RingKey, error) {
	wrapper, err := root.wrapper()
	if err != nil {
		return nil, nil, fmt.Errorf("new ring: %w", err)
	}
	var rows []RingKey
	for _, purpose := range []string{PurposeData, PurposeFingerprint, PurposeAuditSeed} {
		if rows, err = appendNew(rows, wrapper, purpose); err != nil {
			return nil, nil, fmt.Errorf("new ring: %w", err)
		}
	}
	r, err := OpenRing(root, rows)
	return r, rows, err
}

// OpenRing opens the stored rows. It fails with fault.Sealed: code "wrong-root-key" when not one of them opens with
// root, code "ring-damaged" when only some do or a key that is needed is not among them, code "root-key-missing" when
// root is the zero RootKey. It writes nothing, so a caller that opens the ring first has changed nothing when it fails.
func OpenRing(root RootKey, rows []RingKey) (*Ring, error) {
	r := &Ring{}
	if err := r.Reopen(root, rows); err != nil {
		return nil, err
	}
	return r, nil
}

// Reopen replaces what the ring holds by the stored rows; use counts go on. It fails as OpenRing does, and then the ring
// stays as it was. Seals and opens that are under way end with the keys that they began with.
func (r *Ring) Reopen(root RootKey, rows []RingKey) error {
	wrapper, err := root.wrapper()
	if err != nil {
		return fmt.Errorf("open ring: %w", err)
	}
	r.reopen.Lock()
	defer r.reopen.Unlock()
	return r.replace(wrapper, rows)
}

// Refresh is Reopen with the root key that the ring was opened with. It fails with the code "wrong-root-key" when the
// rows are wrapped by another one by now.
func (r *Ring) Refresh(rows []RingKey) error {
	r.reopen.Lock()
	defer r.reopen.Unlock()
	return r.replace(r.keys.Load().wrapper, rows)
}

func (r *Ring) replace(wrapper cipher.AEAD, rows []RingKey) error {
	next, err := openKeys(wrapper, rows)
	if err != nil {
		return err
	}
	for id, k := range next.data {
		k.count = r.countOf(id)
	}
	r.keys.Store(next)
	return nil
}

func (r *Ring) countOf(id uint32) *count {
	if c := r.counts[id]; c != nil {
		return c
	}
	if r.counts == nil {
		r.counts = map[uint32]*count{}
	}
	c := &count{open: !r.counted}
	if c.open {
		c.allotted.Store(MaxUses)
	}
	r.counts[id] = c
	return c
}

// Allot lets the ring seal n more values with the data key id, which it need not hold yet. The caller has stored before
// that the key is used n times more, so that a crash counts too many uses and never too few. From the first call on, no key
// seals more than was allotted to it.
func (r *Ring) Allot(id uint32, n uint64) {
	r.reopen.Lock()
	defer r.reopen.Unlock()
	r.counted = true
	c := r.countOf(id)
	if c.open {
		c.open = false
		c.allotted.Store(c.uses.Load() + n)
		return
	}
	c.allotted.Add(n)
}

// Left returns how many values the active data key may still seal.
func (r *Ring) Left() uint64 {
	c := r.keys.Load().active.count
	if uses, allotted := c.uses.Load(), c.allotted.Load(); uses < allotted {
		return allotted - uses
	}
	return 0
}

// take counts one use, before it is made, and reports whether it is allotted.
func (c *count) take() bool {
	if c.uses.Add(1) <= c.allotted.Load() {
		return true
	}
	c.uses.Add(^uint64(0))
	return false
}

// OnMissing sets what is called when a value is to be opened whose data key the ring does not hold: another process has
// made that key, and f reads the stored rows again. The value is then tried once more.
func (r *Ring) OnMissing(f func(id uint32)) { r.missing.Store(&f) }

func openKeys(wrapper cipher.AEAD, rows []RingKey) (*keySet, error) {
	plain, err := unwrapAll(wrapper, rows)
	if err != nil {
		return nil, err
	}
	s := &keySet{wrapper: wrapper, plain: plain, data: map[uint32]*dataKey{}}
	s.rows = slices.SortedFunc(slices.Values(rows), func(a, b RingKey) int { return cmp.Compare(a.ID, b.ID) })
	for _, row := range s.rows {
		switch row.Purpose {
		case PurposeData:
			prk, err := hkdf.Extract(sha256.New, plain[row.ID], nil)
			if err != nil {
				return nil, fmt.Errorf("open ring: %w", err)
			}
			s.data[row.ID] = &dataKey{id: row.ID, prk: newKeyedMAC(prk)}
			if row.RetiredAt.IsZero() {
				s.active = s.data[row.ID]
			}
		case PurposeFingerprint:
			if s.fingerprint != nil {
				return nil, damaged("the ring has two fingerprint keys")
			}
			if s.fingerprint, s.alias, err = fingerprintKeys(plain[row.ID]); err != nil {
				return nil, err
			}
		}
	}
	switch {
	case s.active == nil:
		return nil, damaged("the ring has no active data key")
	case s.fingerprint == nil:
		return nil, damaged("the ring has no fingerprint key")
	}
	return s, nil
}

// AddDataKey returns the rows with a new active data key; the one before is retired, which means that it still opens and
// no longer seals. Nothing changes until the rows are stored and Reopen is called.
func (r *Ring) AddDataKey() ([]RingKey, error) {
	rows, err := r.add(PurposeData)
	if err != nil {
		return nil, fmt.Errorf("add data key: %w", err)
	}
	added := &rows[len(rows)-1]
	for i := range rows[:len(rows)-1] {
		if rows[i].Purpose == PurposeData && rows[i].RetiredAt.IsZero() {
			rows[i].RetiredAt = added.CreatedAt
		}
	}
	return rows, nil
}

// AddSecret returns the rows with a new named secret of KeyLen random bytes, which takes over from one of the same name.
// Nothing changes until the rows are stored and Reopen is called.
func (r *Ring) AddSecret(name string) ([]RingKey, error) {
	if name == "" || name == PurposeData || name == PurposeFingerprint {
		return nil, errors.New("add secret: this name is not for a secret")
	}
	rows, err := r.add(name)
	if err != nil {
		return nil, fmt.Errorf("add secret: %w", err)
	}
	return rows, nil
}

func (r *Ring) add(purpose string) ([]RingKey, error) {
	s := r.keys.Load()
	return appendNew(slices.Clone(s.rows), s.wrapper, purpose)
}

// Rewrap returns the rows wrapped by newRoot in place of the present root key: the same keys, so no value needs to be
// sealed again. Nothing changes until the rows are stored and Reopen is called with newRoot.
func (r *Ring) Rewrap(newRoot RootKey) ([]RingKey, error) {
	wrapper, err := newRoot.wrapper()
	if err != nil {
		return nil, fmt.Errorf("rewrap: %w", err)
	}
	s := r.keys.Load()
	rows := slices.Clone(s.rows)
	for i := range rows {
		rows[i].wrap(wrapper, s.plain[rows[i].ID])
	}
	return rows, nil
}

// Remove returns the rows without the data key id, which nothing may refer to any more. It fails with fault.NotFound when
// the ring has no such data key, and with fault.Conflict when that is the active one. Nothing changes until the rows are
// stored and Refresh is called.
func (r *Ring) Remove(id uint32) ([]RingKey, error) {
	s := r.keys.Load()
	switch {
	case s.data[id] == nil:
		return nil, fault.New(fault.NotFound, "there is no data key %d", id).WithCode("no-such-key")
	case s.active.id == id:
		return nil, fault.New(fault.Conflict, "the data key %d seals every new value", id).WithCode("key-active").
			WithCure("make a new one first, with keyturn key rotate").WithUnchanged("nothing was removed")
	}
	return slices.DeleteFunc(slices.Clone(s.rows), func(k RingKey) bool { return k.ID == id }), nil
}

// Uses returns, for each data key, how many values this ring has sealed with it since OpenRing.
func (r *Ring) Uses() map[uint32]uint64 {
	uses := map[uint32]uint64{}
	for id, k := range r.keys.Load().data {
		uses[id] = k.count.uses.Load()
	}
	return uses
}

// Active returns the id of the data key that seals now. A value with another [Sealed.KeyID] is due to be sealed again.
func (r *Ring) Active() uint32 { return r.keys.Load().active.id }

// Holds reports whether the ring has the data key id.
func (r *Ring) Holds(id uint32) bool { return r.keys.Load().data[id] != nil }

// Secret returns a copy of the newest named secret called name, KeyLen bytes. It fails with fault.NotFound when the ring
// has none; the data and fingerprint keys are no named secrets.
func (r *Ring) Secret(name string) (Value, error) {
	s := r.keys.Load()
	if name != PurposeData && name != PurposeFingerprint {
		for _, row := range slices.Backward(s.rows) {
			if row.Purpose == name && row.RetiredAt.IsZero() {
				return NewValue(slices.Clone(s.plain[row.ID])), nil
			}
		}
	}
	return Value{}, fault.New(fault.NotFound, "the key ring has no secret %q", name)
}

// appendNew appends a fresh random key. Ids only grow, so the id of a key that was removed names nothing else later on,
// as long as the newest row stays.
func appendNew(rows []RingKey, wrapper cipher.AEAD, purpose string) ([]RingKey, error) {
	row := RingKey{ID: 1, Purpose: purpose, CreatedAt: time.Now().UTC().Truncate(time.Microsecond)}
	for _, k := range rows {
		row.ID = max(row.ID, k.ID+1)
	}
	if row.ID == 0 {
		return nil, errors.New("the ring has no ids left")
	}
	key := make([]byte, KeyLen)
	defer clear(key)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("random key: %w", err)
	}
	row.wrap(wrapper, key)
	return append(rows, row), nil
}
