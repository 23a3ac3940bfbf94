package vault

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const canary = "canary-5d41402abc4b2a76"

type holder struct {
	Shown   Value
	Pointer *Value
	hidden  Value
	pointer *Value
	Root    RootKey
	root    RootKey
	Many    []Value
	Named   map[string]Value
}

func newHolder(t *testing.T) holder {
	t.Helper()
	v := NewValue([]byte(canary))
	root := testRoot(t, canary)
	return holder{
		Shown: v, Pointer: &v, hidden: v, pointer: &v, Root: root, root: root,
		Many: []Value{v}, Named: map[string]Value{"a": v},
	}
}

// spoken fails when text holds the canary in a form in which Go prints bytes.
func spoken(t *testing.T, how, text string) {
	t.Helper()
	decimal := strings.Trim(fmt.Sprint([]byte(canary)), "[]")
	for _, form := range []string{canary, hex.EncodeToString([]byte(canary)), decimal, strings.Trim(fmt.Sprintf("%#v", []byte(canary)), "[]byte{}")} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
			t.Errorf("%s prints the value: %s", how, text)
		}
	}
}

func TestValuePrintsNothing(t *testing.T) {
	h := newHolder(t)
	ring, rows := testRing(t)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%10v"} {
		for name, arg := range map[string]any{
			"value": h.Shown, "pointer": h.Pointer, "struct": h, "struct pointer": &h, "slice": h.Many, "map": h.Named,
			"root key": h.Root, "root key pointer": &h.Root, "in any": []any{h, h.Shown},
			"error": fmt.Errorf("wrapped: %v", h), "ring": ring, "ring in struct": struct{ r *Ring }{ring}, "rows": rows,
		} {
			spoken(t, verb+" of "+name, fmt.Sprintf(verb, arg))
		}
	}
	if got := fmt.Sprintf("%v|%s|%#v|%q", h.Shown, h.Shown, h.Root, h.Pointer); got != "[redacted]|[redacted]|[redacted]|[redacted]" {
		t.Errorf("got %s", got)
	}
	spoken(t, "String", h.Shown.String()+h.Shown.GoString()+h.Root.String()+h.Root.GoString())
	spoken(t, "panic", fmt.Sprint(recovered(h)))
}

func recovered(v any) (got any) {
	defer func() { got = recover() }()
	panic(v)
}

func TestValueMarshalsNothing(t *testing.T) {
	h := newHolder(t)
	js, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	spoken(t, "JSON", string(js))
	if !strings.Contains(string(js), `"Shown":"[redacted]"`) || !strings.Contains(string(js), `"Root":"[redacted]"`) {
		t.Errorf("JSON does not say that something was left out: %s", js)
	}
	ym, err := yaml.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	spoken(t, "YAML", string(ym))

	var buf bytes.Buffer
	if err := gob.NewEncoder(&buf).Encode(h); err != nil {
		t.Fatal(err)
	}
	spoken(t, "gob", buf.String())

	for name, handler := range map[string]slog.Handler{
		"text": slog.NewTextHandler(&buf, nil), "JSON": slog.NewJSONHandler(&buf, nil),
	} {
		buf.Reset()
		log := slog.New(handler).With("with", h.Shown)
		log.Info("m", "value", h.Shown, "pointer", h.Pointer, "struct", h, "struct pointer", &h, "root", h.Root,
			"err", fmt.Errorf("failed: %v", h), slog.Group("group", "value", h.Shown))
		spoken(t, "slog "+name, buf.String())
		if !strings.Contains(buf.String(), redacted) {
			t.Errorf("slog %s: %s", name, buf.String())
		}
	}
}

func TestValue(t *testing.T) {
	v := NewValue([]byte("abc"))
	if v.Len() != 3 || !v.Equal(NewValue([]byte("abc"))) || v.Equal(NewValue([]byte("abd"))) || v.Equal(Value{}) {
		t.Error("Len or Equal is wrong")
	}
	if (Value{}).Len() != 0 || !(Value{}).Equal(NewValue(nil)) {
		t.Error("the zero Value is not empty")
	}
	boom := errors.New("boom")
	if err := v.Expose(func([]byte) error { return boom }); err != boom {
		t.Errorf("Expose returned %v", err)
	}
	if err := (Value{}).Expose(func(b []byte) error {
		if len(b) != 0 {
			t.Error("the zero Value holds something")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	v.Wipe()
	Value{}.Wipe()
	if !v.Equal(NewValue([]byte{0, 0, 0})) {
		t.Error("Wipe left the plaintext")
	}
}
