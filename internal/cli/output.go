package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
	"sigs.k8s.io/yaml"
)

var formats = []string{"table", "wide", "json", "yaml", "name"}

// column is one of a table. A flexible one gives way when the terminal is too narrow.
type column[T any] struct {
	head     string
	cell     func(T) string
	wide     bool // shown with -o wide only
	flexible bool
}

// view is how one kind of thing is shown. name is what other commands take for it.
type view[T any] struct {
	name    func(T) string
	columns []column[T]
}

// list is the document of a list for -o json and yaml.
type list[T any] struct {
	Items []T   `json:"items"`
	Total int64 `json:"total"`
}

// printList prints rows in the form that was asked for.
func printList[T any](k *command, v view[T], rows []T, total int64) error {
	if len(rows) > 0 && int64(len(rows)) < total {
		fmt.Fprintf(k.Err, "The first %d of %d; --limit 0 shows all.\n", len(rows), total)
	}
	if rows == nil {
		rows = []T{}
	}
	switch k.output {
	case "json", "yaml":
		return k.document(list[T]{rows, max(total, int64(len(rows)))})
	case "name":
		return k.names(namesOf(v, rows))
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(k.Err, "Nothing found.")
		return err
	}
	_, err := io.WriteString(k.Out, table(v, rows, k.output == "wide", !k.noHeaders, k.width()))
	return err
}

func namesOf[T any](v view[T], rows []T) []string {
	var out []string
	for _, row := range rows {
		out = append(out, v.name(row))
	}
	return out
}

// fact is one line of a description.
type fact struct{ word, text string }

// printOne prints one thing: its facts, then the further parts.
func printOne(k *command, doc any, name string, facts []fact, parts ...string) error {
	switch k.output {
	case "json", "yaml":
		return k.document(doc)
	case "name":
		return k.names([]string{name})
	}
	var b strings.Builder
	width := 0
	for _, f := range facts {
		width = max(width, len(f.word))
	}
	for _, f := range facts {
		if f.text == "" || f.text == none {
			continue
		}
		fmt.Fprintf(&b, "%-*s  %s\n", width+1, f.word+":", clean(f.text))
	}
	for _, part := range parts {
		if part != "" {
			b.WriteString("\n" + part)
		}
	}
	_, err := io.WriteString(k.Out, b.String())
	return err
}

// part is a table below a description.
func part[T any](k *command, v view[T], rows []T) string {
	if len(rows) == 0 {
		return ""
	}
	return table(v, rows, k.output == "wide", !k.noHeaders, k.width())
}

func (k *command) names(names []string) error {
	for _, name := range names {
		if _, err := fmt.Fprintln(k.Out, clean(name)); err != nil {
			return err
		}
	}
	return nil
}

// document prints what the API answered.
func (k *command) document(doc any) error {
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	text = append(text, '\n')
	if k.output == "yaml" {
		if text, err = yaml.JSONToYAML(text); err != nil {
			return fmt.Errorf("encode: %w", err)
		}
	}
	_, err = k.Out.Write(text)
	return err
}

// done says on standard error what was done, so that standard output holds only what was asked for.
func (k *command) done(format string, args ...any) {
	_, _ = fmt.Fprintln(k.Err, clean(fmt.Sprintf(format, args...)))
}

// tableOutput reports whether people read the output, not programs.
func (k *command) tableOutput() bool { return k.output == "table" || k.output == "wide" }

const gap = "  "

// table draws rows. A width of 0 is no limit; otherwise flexible columns are cut until the lines fit.
func table[T any](v view[T], rows []T, wide, heads bool, width int) string {
	var cells [][]string
	var columns []column[T]
	var header []string
	for _, c := range v.columns {
		if wide || !c.wide {
			columns = append(columns, c)
			header = append(header, c.head)
		}
	}
	if heads {
		cells = append(cells, header)
	}
	for _, row := range rows {
		line := make([]string, len(columns))
		for i, c := range columns {
			line[i] = or(clean(c.cell(row)))
		}
		cells = append(cells, line)
	}
	flexible := make([]bool, len(columns))
	for i, c := range columns {
		flexible[i] = c.flexible
	}
	return draw(cells, widths(cells, flexible, width))
}

// widths gives each column the room that its widest cell needs, and takes from the widest flexible ones what is too much.
func widths(cells [][]string, flexible []bool, limit int) []int {
	const least = 8
	need := make([]int, len(flexible))
	for _, line := range cells {
		for i, cell := range line {
			need[i] = max(need[i], utf8.RuneCountInString(cell))
		}
	}
	total := len(gap) * (len(need) - 1)
	for _, n := range need {
		total += n
	}
	for limit > 0 && total > limit {
		widest := -1
		for i, n := range need {
			if flexible[i] && n > least && (widest < 0 || n > need[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		need[widest]--
		total--
	}
	return need
}

func draw(cells [][]string, widths []int) string {
	var b strings.Builder
	for _, line := range cells {
		var row strings.Builder
		for i, cell := range line {
			cell = cut(cell, widths[i])
			row.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + gap)
		}
		b.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
	return b.String()
}

// cut shortens s to n characters, the last of which says so.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// width is the terminal's, 0 if standard output is none.
func (k *command) width() int {
	fd, ok := terminal(k.Out)
	if !ok {
		return 0
	}
	w, _, err := term.GetSize(fd)
	if err != nil || w <= 0 {
		return 80
	}
	return w
}

// terminal returns the descriptor of s if a person sits behind it.
func terminal(s any) (int, bool) {
	f, ok := s.(*os.File)
	if !ok {
		return 0, false
	}
	fd := int(f.Fd())
	return fd, term.IsTerminal(fd)
}
