package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"

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
		files = withoutWords{files, " WITHOUT ROWID"} // SQLite's alone
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

// withoutWords is files without some words in them.
type withoutWords struct {
	fs.FS
	words string
}

// Open implements fs.FS.
func (w withoutWords) Open(name string) (fs.File, error) {
	f, err := w.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return f, err
	}
	b, err := io.ReadAll(f)
	return rewritten{f, strings.NewReader(strings.ReplaceAll(string(b), w.words, ""))}, err
}

// rewritten is a file with other content. Its size is that of the original.
type rewritten struct {
	fs.File
	content *strings.Reader
}

// Read implements fs.File.
func (r rewritten) Read(p []byte) (int, error) { return r.content.Read(p) }

func migrationError(err error) error {
	if known := translate(err); fault.KindOf(known) != "" {
		return known
	}
	if partial, ok := errors.AsType[*goose.PartialError](err); ok {
		return fmt.Errorf("migration %d: %w", partial.Failed.Source.Version, translate(partial.Err))
	}
	return fmt.Errorf("migrations: %w", translate(err))
}
