package kube

import (
	"context"
	"log/slog"

	"k8s.io/klog/v2"
)

// LogTo has what client-go says of itself go to log, at debug level, for the whole process; else it is written to standard
// error in a form of its own. Each failure that it tells of is also the answer of a call, which names the cluster, and whoever
// made the call reports it or tries again: a line at error level would say it twice, or cry over what was mended.
//
// Only what client-go says unasked is taken. Its verbose lines are never: from level 8 on they hold the bodies of requests and
// answers, which are the values of Secrets.
func LogTo(log *slog.Logger) { klog.SetSlogLogger(slog.New(asDebug{log.Handler()})) }

// asDebug hands records on at debug level. Verbosity n has the level -n, so that everything below info is a verbose line.
type asDebug struct{ to slog.Handler }

func (d asDebug) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo && d.to.Enabled(ctx, slog.LevelDebug)
}

func (d asDebug) Handle(ctx context.Context, r slog.Record) error {
	if !d.Enabled(ctx, r.Level) { // errors come unasked
		return nil
	}
	r.Level = slog.LevelDebug
	return d.to.Handle(ctx, r)
}

func (d asDebug) WithAttrs(attrs []slog.Attr) slog.Handler { return asDebug{d.to.WithAttrs(attrs)} }

func (d asDebug) WithGroup(name string) slog.Handler { return asDebug{d.to.WithGroup(name)} }
