package vault

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"github.com/keyturn/keyturn/internal/fault"
)

// bundleFormat is the first byte of a bundle. The rest, with integers big-endian:
//
//	count (4 bytes), then for each key in ascending order: lp(key) ‖ lp(value)      lp(x) = length of x (4 bytes) ‖ x
const bundleFormat = 1

// Bundle joins the named values of one Secret into a single value, so that they are sealed and kept as one version. Equal
// data gives equal bytes; any bytes may be in names and values, and there may be none at all. The parts are copied and
// stay the caller's. It holds up to 4 GiB for each part, far beyond what a Secret can.
func Bundle(data map[string]Value) Value {
	size := 1 + 4
	for name, v := range data {
		size += 8 + len(name) + v.Len()
	}
	b := make([]byte, 0, size) // never grows, so no copy of a value is left behind
	b = append(b, bundleFormat)
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	for _, name := range slices.Sorted(maps.Keys(data)) {
		b = appendPrefixed(b, name)
		b = binary.BigEndian.AppendUint32(b, uint32(data[name].Len()))
		_ = data[name].Expose(func(plain []byte) error {
			b = append(b, plain...)
			return nil
		})
	}
	return NewValue(b)
}

// Unbundle is the reverse of Bundle. The parts are copies. It fails with fault.Invalid and the code "bundle-unreadable"
// for anything that Bundle does not return, down to the last byte: a shorter, longer or reordered text is refused.
func Unbundle(v Value) (map[string]Value, error) {
	var out map[string]Value
	err := v.Expose(func(b []byte) (err error) {
		out, err = parseBundle(b)
		return err
	})
	return out, err
}

func parseBundle(b []byte) (map[string]Value, error) {
	if len(b) < 5 || b[0] != bundleFormat {
		return nil, errBundle()
	}
	count := binary.BigEndian.Uint32(b[1:])
	b = b[5:]
	if uint64(count)*8 > uint64(len(b)) { // a lie about the count must not make room for it
		return nil, errBundle()
	}
	out := make(map[string]Value, count)
	before := ""
	for i := range count {
		name, rest, ok := cutPrefixed(b)
		if !ok || i > 0 && string(name) <= before {
			return nil, errBundle()
		}
		value, rest, ok := cutPrefixed(rest)
		if !ok {
			return nil, errBundle()
		}
		before, b = string(name), rest
		out[before] = NewValue(append(make([]byte, 0, len(value)), value...))
	}
	if len(b) > 0 {
		return nil, errBundle()
	}
	return out, nil
}

// cutPrefixed splits off what appendPrefixed put in front.
func cutPrefixed(b []byte) (x, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := uint64(binary.BigEndian.Uint32(b))
	b = b[4:]
	if n > math.MaxInt32 || n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

func errBundle() error {
	return fault.New(fault.Invalid, "the stored version is not that of a Secret").WithCode("bundle-unreadable").
		WithCure("sync the cluster, so that the Secret gets a new version")
}
