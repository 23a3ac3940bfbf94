package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var embedded embed.FS

// migrate brings the schema up to this binary's version, each migration in one transaction together with its mark, so
// that a kill at any time leaves either version and the next start goes on. Several servers that start at once on
// PostgreSQL take turns.
func migrate(ctx context.Context, e engine, log *slog.Logger) error {
	files, err := fs.Sub(embedded, "migrations")
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	dialect, options := goose.DialectSQLite3, []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if e.postgres() {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return fmt.Errorf("migrations: %w", err)
		}
		dialect, options = goose.DialectPostgres, append(options, goose.WithSessionLocker(locker))
	}
	steps, err := goose.NewProvider(dialect, e.migrator(), files, options...)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	have, want, err := steps.GetVersions(ctx)
	if err != nil {
		return migrationError(err)
	}
	if have > want {
		return fault.New(fault.Conflict, "the repository has schema version %d, this Keyturn knows versions up to %d", have, want).
			WithCode(CodeNewer).WithCure("start the newer Keyturn that wrote it, or restore a backup made before the upgrade").
			WithUnchanged("nothing was written")
	}
	done, err := steps.Up(ctx)
	if err != nil {
		return migrationError(err)
	}
	if len(done) > 0 {
		log.InfoContext(ctx, "repository schema brought up to date", "from", have, "to", want)
	}
	return nil
}

func migrationError(err error) error {
	if known := translate(err); fault.KindOf(known) != "" {
		return known
	}
	if partial, ok := errors.AsType[*goose.PartialError](err); ok {
		return fmt.Errorf("migration %d: %w", partial.Failed.Source.Version, translate(partial.Err))
	}
	return fmt.Errorf("migrations: %w", translate(err))
}
