package story

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// decoded is an object as kubectl prints it.
func decoded(t *testing.T, text string) object {
	t.Helper()
	var o object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestUntouched(t *testing.T) {
	before := decoded(t, `{"metadata": {"name": "db", "resourceVersion": "1", "managedFields": []}, "data": {"user": "YQ==", "password": "Yg=="}}`)
	for name, tc := range map[string]struct {
		after string
		ok    bool
	}{
		"only the key": {`{"metadata": {"name": "db", "resourceVersion": "2", "managedFields": [{}]}, "data": {"user": "YQ==", "password": "Yw=="}}`, true},
		"another key":  {`{"metadata": {"name": "db", "resourceVersion": "2"}, "data": {"user": "Yg==", "password": "Yw=="}}`, false},
		"a label":      {`{"metadata": {"name": "db", "labels": {"a": "b"}}, "data": {"user": "YQ==", "password": "Yw=="}}`, false},
		"a lost key":   {`{"metadata": {"name": "db"}, "data": {"password": "Yw=="}}`, false},
	} {
		if err := untouched(before, decoded(t, tc.after), "password"); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if v, err := value(before, "password"); err != nil || v != "b" {
		t.Errorf("value %q, %v: untouched changed what it compared", v, err)
	}
}

func TestManaged(t *testing.T) {
	const kubectl = `{"manager": "kubectl-create", "fieldsV1": {"f:data": {".": {}, "f:user": {}}, "f:type": {}}}`
	for name, tc := range map[string]struct {
		fields string
		ok     bool
	}{
		"just the key":   {kubectl + `, {"manager": "keyturn", "fieldsV1": {"f:data": {"f:password": {}}}}`, true},
		"nobody":         {kubectl, false},
		"too much":       {kubectl + `, {"manager": "keyturn", "fieldsV1": {"f:data": {"f:password": {}, "f:user": {}}}}`, false},
		"a label too":    {kubectl + `, {"manager": "keyturn", "fieldsV1": {"f:data": {"f:password": {}}, "f:metadata": {}}}`, false},
		"shared":         {`{"manager": "kubectl", "fieldsV1": {"f:data": {"f:password": {}}}}, {"manager": "keyturn", "fieldsV1": {"f:data": {"f:password": {}}}}`, false},
		"the wrong key":  {`{"manager": "keyturn", "fieldsV1": {"f:data": {"f:user": {}}}}`, false},
		"somebody elses": {`{"manager": "argocd", "fieldsV1": {"f:data": {"f:password": {}}}}`, false},
	} {
		o := decoded(t, `{"metadata": {"managedFields": [`+tc.fields+`]}}`)
		if err := managed(o, "password"); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAbsentLooksForBase64Too(t *testing.T) {
	const v = "a value of the story"
	for text, ok := range map[string]bool{
		"nothing": true, "it is " + v: false, `"` + base64.StdEncoding.EncodeToString([]byte(v)) + `"`: false,
	} {
		err := absent([]byte(text), "a file", []string{"other", v})
		if (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), v) {
			t.Error("the error carries the value")
		}
	}
}

func TestALineFitsTheTerminal(t *testing.T) {
	w := show{width: 100}
	proof := strings.Repeat("proof ", 20)
	line := w.line("✓", green, "7", "A step", 1500*time.Millisecond, proof)
	if n := utf8.RuneCountInString(line); n > w.width || !strings.HasSuffix(line, "…") || !strings.Contains(line, "1.5 s") {
		t.Errorf("%d columns: %q", n, line)
	}
	w.width = 0
	if line = w.line("✓", green, "7", "A step", time.Second, proof); !strings.HasSuffix(line, proof) {
		t.Errorf("cut without a terminal: %q", line)
	}
	if strings.Contains(line, "\x1b") {
		t.Error("a colour without a terminal")
	}
	for i, s := range steps() {
		if n := utf8.RuneCountInString(s.title); n > titleWidth {
			t.Errorf("the title of step %d has %d characters", i+1, n)
		}
	}
}
