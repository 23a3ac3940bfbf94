package composite

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"regexp"
	"strconv"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// readYAML finds the scalars at s.At and s.User. The library only says at which line and column a node begins: what is
// replaced is cut out of the stored bytes here.
func readYAML(s Spec, b []byte) (reading, error) {
	var r reading
	if bytes.Contains(bytes.ReplaceAll(b, []byte("\r\n"), nil), []byte("\r")) || bytes.ContainsAny(b, "\u0085\u2028\u2029") {
		return r, unreadable("the stored YAML has line ends other than LF and CRLF", "change them")
	}
	docs, err := yamlDocuments(b)
	if err != nil {
		return r, err
	}
	password, err := yamlFind(docs, s.At)
	if err != nil {
		return r, err
	}
	marked := []*yaml.Node{password}
	if s.User != "" {
		user, err := yamlFind(docs, s.User)
		if err != nil {
			return r, err
		}
		marked = append(marked, user)
		if err := yamlPlace(b, user, r.addUser); err != nil {
			return r, err
		}
	}
	if err := yamlPlace(b, password, r.addPassword); err != nil {
		return r, err
	}
	r.outline = yamlOutline(docs, marked)
	return r, nil
}

// yamlDocuments parses all documents. The library's own errors are not passed on: they quote what they met.
func yamlDocuments(b []byte) (docs []*yaml.Node, err error) {
	bad := unreadable("the stored value is not YAML", "choose another format")
	defer func() { // the bytes come from a cluster: a defect of the library must not stop the process
		if recover() != nil {
			docs, err = nil, bad
		}
	}()
	for dec := yaml.NewDecoder(bytes.NewReader(b)); ; {
		var doc yaml.Node
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			return docs, nil
		} else if err != nil {
			return nil, bad
		}
		docs = append(docs, &doc)
	}
}

// yamlFind returns the scalar at p; it must be in one document only, and nothing on the way to it may stand elsewhere
// too, by an alias.
func yamlFind(docs []*yaml.Node, p string) (*yaml.Node, error) {
	path, _ := pointer(p)
	var found *yaml.Node
	for _, doc := range docs {
		if len(doc.Content) == 0 {
			continue
		}
		shared := map[*yaml.Node]bool{}
		aliased(doc, shared)
		node, err := yamlWalk(doc.Content[0], path, shared)
		if err != nil {
			return nil, err
		}
		if node != nil && found != nil {
			return nil, ambiguous("several documents of the stored YAML have that place", "keep them in keys of their own")
		}
		if node != nil {
			found = node
		}
	}
	switch {
	case found == nil:
		return nil, missing("the stored YAML has nothing at that place", "look at how its names are spelled")
	case found.Kind != yaml.ScalarNode || found.Tag != "!!str" || found.Style&yaml.TaggedStyle != 0,
		found.Style == 0 && yamlOld.MatchString(found.Value):
		return nil, unreadable("what stands at that place of the stored YAML is no string", "put it in quotes, without a tag")
	}
	return found, nil
}

// yamlWalk follows path from n; nil if it leads nowhere.
func yamlWalk(n *yaml.Node, path []string, shared map[*yaml.Node]bool) (*yaml.Node, error) {
	for {
		if n.Kind == yaml.AliasNode || shared[n] {
			return nil, ambiguous("what stands at that place of the stored YAML is used elsewhere too, by an alias", "write it out")
		}
		if len(path) == 0 {
			return n, nil
		}
		var next *yaml.Node
		for i, child := range n.Content {
			switch {
			case n.Kind == yaml.SequenceNode && arrayIndex(path[0], i):
				next = child
			case n.Kind == yaml.MappingNode && i%2 == 0 && child.Kind == yaml.ScalarNode && child.Value == path[0]:
				if next != nil {
					return nil, ambiguous("a name on the way to that place stands twice in the stored YAML", "remove one")
				}
				next = n.Content[i+1]
			}
		}
		if next == nil {
			return nil, nil
		}
		n, path = next, path[1:]
	}
}

// aliased collects the nodes that aliases below n stand for.
func aliased(n *yaml.Node, shared map[*yaml.Node]bool) {
	if n.Kind == yaml.AliasNode {
		shared[n.Alias] = true
		return
	}
	for _, child := range n.Content {
		aliased(child, shared)
	}
}

// yamlOutline sums up all that the documents say but for the text and style of the marked scalars.
func yamlOutline(docs, marked []*yaml.Node) [32]byte {
	h := sha256.New()
	for _, doc := range docs {
		outline(h, doc, marked)
	}
	return [32]byte(h.Sum(nil))
}

func outline(h hash.Hash, n *yaml.Node, marked []*yaml.Node) {
	texts := []string{n.Tag, n.Anchor, n.Value, n.HeadComment, n.LineComment, n.FootComment}
	for _, m := range marked {
		if n == m {
			texts[2] = ""
		}
	}
	head := []uint64{uint64(n.Kind), uint64(len(n.Content))}
	for _, text := range texts {
		head = append(head, uint64(len(text)))
	}
	for _, number := range head {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], number)
		h.Write(b[:])
	}
	for _, text := range texts {
		_, _ = io.WriteString(h, text)
	}
	for _, child := range n.Content {
		outline(h, child, marked)
	}
}

var (
	yamlAnchor  = regexp.MustCompile(`^&[^ \t\r\n,\[\]{}]+[ \t]+`)
	yamlLiteral = regexp.MustCompile(`^\|(-?)[ \t]*(?:#[^\r\n]*)?\r?\n(?:[ \t]*\r?\n)*( +)`)
	yamlOld     = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|[-+]?[0-9_]+(:[0-9_.]+)+)$`) // no string for YAML 1.1
	yamlWord    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{5,}$`)                       // no schema has a word of that length with a meaning
)

// yamlPlace notes where the scalar n stands in b.
func yamlPlace(b []byte, n *yaml.Node, add func(start, end int, text []byte, write func([]byte) ([]byte, error))) error {
	start, ok := offset(b, n.Line, n.Column)
	if ok && n.Anchor != "" {
		start += len(yamlAnchor.Find(b[start:]))
	}
	rest := b[min(start, len(b)):]
	text := []byte(n.Value)
	switch {
	case ok && n.Style&yaml.DoubleQuotedStyle != 0 && bytes.HasPrefix(rest, []byte(`"`)):
		add(start, start+quotedLength(rest), text, yamlDouble)
		return nil
	case ok && n.Style&yaml.SingleQuotedStyle != 0 && bytes.HasPrefix(rest, []byte(`'`)):
		add(start, start+quotedLength(rest), text, yamlSingle)
		return nil
	case ok && n.Style&yaml.LiteralStyle != 0:
		if head := yamlLiteral.FindSubmatch(rest); head != nil {
			clip := len(head[1]) == 0
			line, whole := bytes.CutSuffix(text, []byte("\n"))
			if whole == clip && len(line) > 0 && bytes.HasPrefix(rest[len(head[0]):], line) && yamlLine(line) {
				add(start+len(head[0]), start+len(head[0])+len(line), text, yamlBlock(clip))
				return nil
			}
		}
	case ok && n.Style&yaml.FoldedStyle == 0 && len(text) > 0 && bytes.HasPrefix(rest, text):
		add(start, start+len(text), text, yamlPlain)
		return nil
	}
	clear(text)
	return unreadable("the string at that place of the stored YAML is folded, or a block of several lines",
		"write it in double quotes")
}

// offset returns where line and column, both from 1 and the column in characters, are in b.
func offset(b []byte, line, column int) (int, bool) {
	at := 0
	for ; line > 1; line-- {
		n := bytes.IndexByte(b[at:], '\n')
		if n < 0 {
			return 0, false
		}
		at += n + 1
	}
	for ; column > 1 && at < len(b); column-- {
		_, size := utf8.DecodeRune(b[at:])
		at += size
	}
	return at, column == 1 && at < len(b)
}

// quotedLength returns the length of the quoted scalar that b begins with, which the library has found well formed.
func quotedLength(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch {
		case b[0] == '"' && b[i] == '\\':
			i++
		case b[0] == '\'' && b[i] == '\'' && i+1 < len(b) && b[i+1] == '\'':
			i++
		case b[i] == b[0]:
			return i + 1
		}
	}
	return len(b)
}

// yamlLine reports whether b can be the one line of a literal block.
func yamlLine(b []byte) bool {
	return len(b) > 0 && !in(" \t", b[0]) && yamlPrintable(b)
}

// yamlPrintable reports whether all of b may stand unescaped in a scalar of one line, for any version of YAML.
func yamlPrintable(b []byte) bool {
	for _, r := range string(b) {
		if r < 0x20 || r != '\u00a0' && !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

func yamlPlain(b []byte) ([]byte, error) {
	if yamlWord.Match(b) {
		return bytes.Clone(b), nil
	}
	return yamlDouble(b)
}

func yamlSingle(b []byte) ([]byte, error) {
	if !yamlPrintable(b) {
		return yamlDouble(b)
	}
	out := append(make([]byte, 0, 2*len(b)+2), '\'')
	for _, c := range b {
		if c == '\'' {
			out = append(out, '\'')
		}
		out = append(out, c)
	}
	return append(out, '\''), nil
}

// yamlDouble writes a double-quoted scalar with escapes that JSON has too.
func yamlDouble(b []byte) ([]byte, error) {
	out := append(make([]byte, 0, 6*len(b)+2), '"')
	for _, r := range string(b) {
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		case r <= 0xffff && !strconv.IsPrint(r): // beyond, \u would need a surrogate pair, which YAML has not
			out = appendU(out, r)
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return append(out, '"'), nil
}

// yamlBlock writes the line of a literal block. One that is clipped ends with a line end, for its readers too.
func yamlBlock(clip bool) func([]byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		line, whole := bytes.CutSuffix(b, []byte("\n"))
		if whole != clip {
			return nil, unfit("the literal block there ends with a line end for its readers, or has none, unlike the new text",
				"write the stored scalar in quotes")
		}
		if !yamlLine(line) {
			return nil, unfit("the new text cannot be a line of a literal block", "write the stored scalar in quotes")
		}
		return bytes.Clone(line), nil
	}
}
