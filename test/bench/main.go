// Command bench measures what Keyturn promises of its speed, each figure against a limit that the same run measures on the
// same machine: a bare client of the same API server, a bare writer on the same disk. The console's figures have no limit of
// the machine's; theirs are budgets of what a person notices. It starts a real control plane, a real server and a browser,
// prints a table and writes the figures as JSON. It is run in the folder of the module.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
)

// options is how the measurement is made.
type options struct {
	keyturn string // the binary
	out     string // the file that gets the figures
	rounds  int    // of each figure; the median counts
	secrets int
	spaces  int // namespaces
	targets int // Secrets that one reset writes
	clients int // that reveal at once
	only    string
}

// perNamespace is how many Secrets a namespace has.
func (o options) perNamespace() int { return o.secrets / o.spaces }

// wants reports whether a figure is to be taken.
func (o options) wants(name string) bool {
	return o.only == "" || slices.Contains(strings.Split(o.only, ","), name)
}

// wantsAny reports whether one of the figures is to be taken.
func (o options) wantsAny(names []string) bool { return slices.ContainsFunc(names, o.wants) }

func main() {
	o := options{secrets: 10_000, spaces: 500, targets: 1_000, clients: 64}
	flag.StringVar(&o.keyturn, "keyturn", filepath.Join("bin", "keyturn"), "the binary to measure")
	flag.StringVar(&o.out, "out", filepath.Join("bench", "out.json"), "the file that gets the figures")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each is measured; the median counts")
	flag.StringVar(&o.only, "only", "", "figures to take, separated by commas (console: all of the console; fetch_10k comes with those of one cluster); empty: all")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.rounds < 1 {
		return fmt.Errorf("-rounds must be at least 1")
	}
	program, err := filepath.Abs(o.keyturn)
	if err != nil {
		return err
	}
	o.keyturn = program
	figures, err := measure(ctx, o)
	if err != nil {
		return err
	}
	if err := print(figures); err != nil {
		return err
	}
	return write(o.out, figures)
}

// figure is one result. Its ratio is the value over the limit.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Limit float64 `json:"limit"`
	Ratio float64 `json:"ratio"`

	bound float64 // what the ratio may be
	least bool    // the bound is a minimum, not a maximum
	load  string  // the machine's load averages when it was measured
}

func newFigure(name string, value float64, unit string, limit, bound float64) figure {
	return figure{Name: name, Value: value, Unit: unit, Limit: limit, Ratio: value / limit, bound: bound, load: load()}
}

// met reports whether the ratio is within its bound.
func (f figure) met() bool {
	if f.least {
		return f.Ratio >= f.bound
	}
	return f.Ratio <= f.bound
}

// load returns the load average of the last minute, and how much of the processors' time since it was called last went to
// other guests of the host: somebody else's work slows every figure.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	all, stolen := machineTicks()
	defer func() { allTicks, stolenTicks = all, stolen }()
	return fmt.Sprintf("%s, %.0f %% stolen", strings.Fields(string(b))[0], 100*float64(stolen-stolenTicks)/float64(max(all-allTicks, 1)))
}

// allTicks and stolenTicks are those of the last call of load; only one goroutine measures.
var allTicks, stolenTicks = machineTicks()

// machineTicks returns the processors' time since the machine's start, and what of it the host gave to others.
func machineTicks() (all, stolen int64) {
	b, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(b), "\n")
	for i, field := range strings.Fields(line) {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil || i > 8 { // the first is a word; what follows the eighth is counted before already
			continue
		}
		if all += n; i == 8 {
			stolen = n
		}
	}
	return all, stolen
}

func print(figures []figure) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nNAME\tVALUE\tLIMIT\tUNIT\tRATIO\tPROMISED\tMET\tLOAD")
	for _, f := range figures {
		sign, met := "≤", "yes"
		if f.least {
			sign = "≥"
		}
		if !f.met() {
			met = "no"
		}
		fmt.Fprintf(w, "%s\t%.3g\t%.3g\t%s\t%.2f\t%s %.2f\t%s\t%s\n", f.Name, f.Value, f.Limit, f.Unit, f.Ratio, sign, f.bound, met, f.load)
	}
	return w.Flush()
}

func write(path string, figures []figure) error {
	b, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
