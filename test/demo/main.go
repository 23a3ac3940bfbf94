// Command demo plays Keyturn's story on real servers and leaves them running to be looked at. With DEMO_ONCE=1 it stops
// everything at the end, and exits with 0 only if every step was proved.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/term"

	"github.com/keyturn/keyturn/test/demo/story"
)

func main() {
	program := flag.String("keyturn", filepath.Join("bin", "keyturn"), "the binary to play with")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *program, os.Getenv("DEMO_ONCE") == "1"); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "\nThe demo failed:", err)
		os.Exit(1)
	}
}

// run plays the story and stops everything that it started, at the end or when ctx ends.
func run(ctx context.Context, program string, once bool) (err error) {
	program, err = filepath.Abs(program)
	if err != nil {
		return err
	}
	if _, err := os.Stat(program); err != nil {
		return fmt.Errorf("%w: build it with `make build`", err)
	}
	cfg := story.Config{Program: program, Out: os.Stdout}
	if fd := int(os.Stdout.Fd()); term.IsTerminal(fd) {
		cfg.Terminal = true
		cfg.Width, _, _ = term.GetSize(fd)
	}
	fmt.Println("Keyturn's story, on two Kubernetes control planes and a PostgreSQL server on this machine.")
	fmt.Println()
	stage, err := story.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() {
		fmt.Println("Everything is being stopped.")
		err = errors.Join(err, stage.Close())
		if err == nil || ctx.Err() != nil { // after a failure the logs stay
			err = errors.Join(err, stage.Forget())
		}
	}()
	err = stage.Play(ctx)
	switch {
	case ctx.Err() != nil:
		return errors.New("it was interrupted")
	case err != nil || once:
		return err
	}
	show(stage.Visit())
	<-ctx.Done()
	fmt.Println()
	return nil
}

// show tells how to look around.
func show(v story.Visit) {
	fmt.Printf("\nConsole:      %s\n", v.URL)
	fmt.Printf("              its own certificate, SHA-256 %s\n", v.CertSHA256)
	fmt.Printf("Sign in as:   %s\nPassword:     %s\n", v.User, v.Password)
	for _, kubeconfig := range v.Kubeconfigs {
		fmt.Printf("kubectl:      export KUBECONFIG=%s\n", kubeconfig)
	}
	fmt.Printf("Server's log: %s\n\nAll of it runs until Ctrl-C.\n", v.ServerLog)
}
