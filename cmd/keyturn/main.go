// Command keyturn is the server and the command line of Keyturn.
package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // schedules name zones, and a bare machine has none

	"github.com/keyturn/keyturn/internal/app"
	"github.com/keyturn/keyturn/internal/cli"
	"github.com/keyturn/keyturn/internal/config"
)

// version is set when a release is built.
var version = ""

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	return cli.Run(ctx, args, cli.Streams{In: in, Out: out, Err: errs, Env: config.Env, Version: buildVersion(),
		Server: func(ctx context.Context, o cli.ServerOptions) error { return serve(ctx, o, out, errs) },
		NextRootKey: func(ctx context.Context, o cli.ServerOptions) (string, error) {
			return app.NewNextRootKey(ctx, config.Server{Data: o.Data, Database: o.Database, RootKeyFile: o.RootKeyFile})
		}})
}

func serve(ctx context.Context, o cli.ServerOptions, out, errs io.Writer) error {
	cfg := config.Server{
		Data: o.Data, Database: o.Database, Listen: o.Listen, TLSCert: o.TLSCert, TLSKey: o.TLSKey, PublicURL: o.PublicURL,
		RootKeyFile: o.RootKeyFile, Passphrase: o.Passphrase, AllowLoopbackClusters: o.AllowLoopbackClusters, AllowClusterCIDRs: o.AllowClusterCIDRs,
		MetricsListen: o.MetricsListen, SyncOnDemand: o.SyncOnDemand, CompareEvery: o.CompareEvery, LogFormat: o.LogFormat, LogLevel: o.LogLevel, Version: buildVersion(),
	}
	cfg, err := cfg.Complete()
	if err != nil {
		return err
	}
	// What lives long here is small next to what comes and goes: collecting half as often saves a tenth of the CPU.
	if config.Env("GOGC") == "" {
		debug.SetGCPercent(200)
	}
	return app.Serve(ctx, cfg, out, logger(cfg, errs))
}

func logger(cfg config.Server, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// buildVersion is the release's, or else what the Go tool knows of the checkout.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "0.1.0-dev"
}
