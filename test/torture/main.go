// Command torture turns keys on real systems while everything around them goes wrong: the server is killed and frozen,
// connections are cut, API servers answer with errors, lose replies, die or take rights away. After each round, when nothing
// is wrong any more, it proves with psql, Redis and kubectl that nothing was lost. A seed chooses what goes wrong when; how
// the programs interleave is up to them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

func main() {
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()%1_000_000), "chooses what goes wrong when")
	runs := flag.Int("runs", 200, "how many resets")
	program := flag.String("keyturn", "", "the binary to torture; it is built if this is empty")
	flag.Parse()
	runtime.LockOSThread() // the servers die with the thread that started them
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if !run(ctx, *program, *seed, *runs, os.Stdout) {
		stop()
		os.Exit(1)
	}
}

// run reports whether nothing was lost.
func run(ctx context.Context, program string, seed uint64, runs int, out io.Writer) bool {
	_, _ = fmt.Fprintf(out, "seed %d\n", seed)
	p, err := torture(ctx, program, seed, runs, out)
	_, _ = fmt.Fprintf(out, "%d runs, %d faults (%d replies of changes lost), %d lost\n", p.runs, p.faults, p.mute, len(p.lost))
	if err == nil && p.mute == 0 {
		err = errors.New("no reply of a change was lost, so that nothing is proved of that")
	}
	if err != nil {
		_, _ = fmt.Fprintln(out, "it did not come to its end:", err)
	}
	if err != nil || len(p.lost) > 0 {
		_, _ = fmt.Fprintf(out, "again: go run ./test/torture -seed %d -runs %d\n", seed, runs)
		return false
	}
	return true
}
