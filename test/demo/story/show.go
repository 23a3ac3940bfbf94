package story

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// show writes one line for each thing that happens. On a terminal the line of what is under way counts its seconds.
type show struct {
	mu       sync.Mutex // guards out: lines are told while the seconds are counted
	out      io.Writer
	terminal bool
	width    int // of the terminal; 0 is no limit
}

// The colours of a terminal.
const (
	green = "\x1b[32m"
	red   = "\x1b[31m"
	dim   = "\x1b[2m"
	plain = "\x1b[0m"
)

const titleWidth = 62

// say writes a line as it is.
func (w *show) say(format string, args ...any) { _, _ = fmt.Fprintf(w.out, format+"\n", args...) }

// tell writes a line of what is under way, below the lines of what is done.
func (w *show) tell(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := "       " + line
	if w.terminal {
		text = "\r" + strings.Repeat(" ", titleWidth+16) + "\r" + w.paint(dim, text)
	}
	_, _ = fmt.Fprintln(w.out, text)
}

// during runs f and writes its line: number (empty if it has none), title, how long it took and how it was proved.
func (w *show) during(number, title string, f func() (string, error)) error {
	began := time.Now()
	stop := w.count(number, title, began)
	proof, err := f()
	stop()
	mark, colour := "✓", green
	if err != nil {
		mark, colour, proof = "✗", red, ""
	}
	w.say("%s", w.line(mark, colour, number, title, time.Since(began), proof))
	return err
}

// line puts one together; what does not fit on the terminal is cut from the proof.
func (w *show) line(mark, colour, number, title string, took time.Duration, proof string) string {
	head := fmt.Sprintf("%3s  %-*s %6.1f s", number, titleWidth, title, took.Seconds())
	if room := w.width - utf8.RuneCountInString(head) - 4; w.width > 0 && utf8.RuneCountInString(proof) > room {
		proof = string([]rune(proof)[:max(0, room-1)])
		if proof != "" {
			proof += "…"
		}
	}
	if proof != "" {
		proof = "  " + w.paint(dim, proof)
	}
	return w.paint(colour, mark) + head + proof
}

func (w *show) paint(colour, text string) string {
	if !w.terminal {
		return text
	}
	return colour + text + plain
}

// count shows on a terminal, until stop is called, that something is under way and since when.
func (w *show) count(number, title string, began time.Time) (stop func()) {
	if !w.terminal {
		return func() {}
	}
	quit := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			w.mu.Lock()
			_, _ = fmt.Fprintf(w.out, "\r%s", w.line("…", dim, number, title, time.Since(began), ""))
			w.mu.Unlock()
			select {
			case <-quit:
				_, _ = fmt.Fprintf(w.out, "\r%s\r", strings.Repeat(" ", titleWidth+16))
				return
			case <-tick.C:
			}
		}
	})
	return func() { close(quit); done.Wait() }
}
