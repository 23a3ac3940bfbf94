package composite

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/keyturn/keyturn/internal/vault"
)

const (
	maxDetect     = 64 << 10 // beyond, only Whole is proposed
	maxCandidates = 16       // that one value is read as
	maxLeaves     = 4096     // names that are looked at
)

var (
	secretName = regexp.MustCompile(`(?i)(pass(word|wd|phrase)?|pwd|secret|token)$`)
	sectionRow = regexp.MustCompile(`(?m)^[ \t]*\[([^\]\r\n]+)\]`)
	envRow     = regexp.MustCompile(`(?m)^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=`)
	propRow    = regexp.MustCompile(`(?m)^[ \t]*([A-Za-z0-9_.-]+)[ \t]*[=:]`)
	pgPassRow  = regexp.MustCompile(`(?m)^((?:[^:\\#\r\n]|\\.)(?:[^:\\\r\n]|\\.)*:(?:[0-9]+|\*):(?:[^:\\\r\n]|\\.)+:(?:[^:\\\r\n]|\\.)+):[^\r\n]`)
	userRow    = regexp.MustCompile(`(?m)^([^:#\s][^:\r\n]*):(?:\$2[aby]\$|\$[56]\$|\$apr1\$|\{SHA\})`)
)

// Detect returns what the value may be read as, the likeliest first and Whole always last; each but Whole is one that
// [Find] accepts. It looks at the form alone and proves nothing: a person or a login has to confirm. A place may be a
// name that stands in the value, such as a key or a registry. It takes some 10 ms for a long value, and proposes only
// Whole beyond 64 KiB.
func Detect(whole vault.Value) []Spec {
	var found []Spec
	_ = whole.Expose(func(b []byte) error {
		if len(b) > maxDetect {
			return nil
		}
		all := candidates(b)
		for _, s := range all[:min(len(all), maxCandidates)] {
			if p, err := Find(s, whole); err == nil {
				p.Password.Wipe()
				found = append(found, s)
			}
		}
		return nil
	})
	return append(found, Spec{Format: Whole})
}

// candidates returns what b could be by a glance.
func candidates(b []byte) []Spec {
	body := bytes.TrimSpace(b)
	oneLine := bytes.IndexByte(body, '\n') < 0
	switch {
	case bytes.HasPrefix(body, []byte("{")) || bytes.HasPrefix(body, []byte("[")):
		if found := inJSON(b); len(found) > 0 {
			return found
		}
	case bytes.HasPrefix(body, []byte("jdbc:")):
		return []Spec{{Format: JDBC}}
	case oneLine && schemePattern.Match(body):
		return []Spec{{Format: URL}}
	}
	all := slices.Concat(inSections(b), inHtpasswd(b), inPgPass(b))
	if oneLine && bytes.Contains(body, []byte("@")) && bytes.Contains(body, []byte("(")) {
		all = append(all, Spec{Format: GoMySQL})
	}
	if oneLine {
		all = append(all, Spec{Format: KeyValue})
	}
	all = append(all, inRows(b, envRow, Env)...)
	all = append(all, inYAML(b)...)
	all = append(all, inRows(b, propRow, Properties)...)
	if !oneLine {
		all = append(all, Spec{Format: KeyValue})
	}
	return all
}

// inJSON proposes the registries of a pull secret, or the strings with the name of a secret.
func inJSON(b []byte) []Spec {
	var leaves []string
	var registries []Spec
	scan := jsonScan{b: b}
	scan.visit = func(path []string) {
		if len(leaves) == maxLeaves || length(path) > maxPlace {
			return
		}
		var p strings.Builder
		for _, name := range path {
			p.WriteString("/" + escapePointer(name))
		}
		leaves = append(leaves, p.String())
		if len(path) == 3 && path[0] == "auths" && (path[2] == "auth" || path[2] == "password") {
			s := Spec{Format: DockerConfigJSON, At: path[1]}
			if !slices.Contains(registries, s) && len(registries) < maxCandidates {
				registries = append(registries, s)
			}
		}
	}
	scan.space()
	scan.value(nil, false, 0)
	if len(registries) > 0 {
		return registries
	}
	return named(leaves, JSON)
}

func length(path []string) int {
	n := len(path)
	for _, name := range path {
		n += len(name)
	}
	return n
}

func inYAML(b []byte) []Spec {
	docs, err := yamlDocuments(b)
	if err != nil {
		return nil
	}
	var leaves []string
	for _, doc := range docs {
		for _, root := range doc.Content {
			leaves = yamlLeaves(leaves, root, "")
		}
	}
	return named(leaves, YAML)
}

func yamlLeaves(leaves []string, n *yaml.Node, at string) []string {
	for i := 0; i < len(n.Content) && len(leaves) < maxLeaves && len(at) < maxPlace; i++ {
		switch n.Kind {
		case yaml.SequenceNode:
			leaves = yamlLeaves(leaves, n.Content[i], at+"/"+strconv.Itoa(i))
		case yaml.MappingNode:
			leaves = yamlLeaves(leaves, n.Content[i+1], at+"/"+escapePointer(n.Content[i].Value))
			i++
		}
	}
	if n.Kind == yaml.ScalarNode && at != "" {
		leaves = append(leaves, at)
	}
	return leaves
}

func inRows(b []byte, row *regexp.Regexp, f Format) []Spec {
	var keys []string
	for _, m := range row.FindAllSubmatch(b, maxLeaves) {
		keys = append(keys, string(m[1]))
	}
	return named(keys, f)
}

// named proposes those of keys that are called as a secret is, each with the user name beside it if one is there.
func named(keys []string, f Format) []Spec {
	have := map[string]bool{}
	for _, key := range keys {
		have[key] = true
	}
	var all []Spec
	for _, key := range keys {
		if !secretName.MatchString(key) {
			continue
		}
		s := Spec{Format: f, At: key}
		for _, user := range userNames(key) {
			if have[user] {
				s.User = user
				break
			}
		}
		if all = append(all, s); len(all) == maxCandidates {
			break
		}
	}
	return all
}

// userNames returns how the user name beside a key for a password may be called, spelled alike.
func userNames(key string) []string {
	word := secretName.FindString(key)
	prefix := strings.TrimSuffix(key, word)
	names := []string{"username", "user", "login"}
	for i, name := range names {
		switch {
		case word == strings.ToUpper(word):
			name = strings.ToUpper(name)
		case word[0] >= 'A' && word[0] <= 'Z':
			name = strings.ToUpper(name[:1]) + name[1:]
		}
		names[i] = prefix + name
	}
	return names
}

func inSections(b []byte) []Spec {
	var all []Spec
	for _, m := range sectionRow.FindAllSubmatch(b, maxCandidates) {
		all = append(all, Spec{Format: MyCnf, At: string(m[1])})
	}
	return all
}

func inHtpasswd(b []byte) []Spec {
	var all []Spec
	for _, m := range userRow.FindAllSubmatch(b, maxCandidates) {
		all = append(all, Spec{Format: Htpasswd, At: string(m[1])})
	}
	return all
}

func inPgPass(b []byte) []Spec {
	var all []Spec
	for _, m := range pgPassRow.FindAllSubmatch(b, maxCandidates) {
		all = append(all, Spec{Format: PgPass, At: string(m[1])})
	}
	return all
}
