package store

import (
	"context"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
)

// endReverted ends the run that run reverts, if there is one, under a new fence: a worker that still thinks it has it writes
// nothing more.
func endReverted(ctx context.Context, tx *Tx, run rotation.Run) error {
	if run.Reverts == "" {
		return nil
	}
	tx.Changed("run", run.Reverts, 0, run.AccountID)
	now := micro(time.Now())
	return execOne(ctx, tx, fault.New(fault.Conflict, "the run cannot be rolled back any more: it went on or has ended").WithCode("run-went-on").
		WithCure("look at it again").WithUnchanged("nothing was changed"),
		`UPDATE runs SET state = 'cancelled', fence = fence + 1, lease_until = 0, reason = $3, cure = '', updated_at = $4, ended_at = $4
		WHERE id = $1 AND account_id = $2 AND state IN ('waiting', 'needs_attention') AND step IN ('verified', 'published', 'rolled_out', 'retired')`,
		run.Reverts, run.AccountID, "run "+run.ID+" sets the value before it again", now)
}

// GivenUpRuns returns the ids of up to limit runs that are to be rolled back without being asked.
func (s *Store) GivenUpRuns(ctx context.Context, _ time.Time, limit int) ([]string, error) {
	return queryAll(ctx, s.read(ctx), scanText, `SELECT id FROM runs WHERE gives_up = 1 AND state = 'needs_attention' ORDER BY id LIMIT $1`, limit)
}

// KeepStuck implements rotation.EndStore.
func (s *Store) KeepStuck(ctx context.Context, run rotation.Run, cure string, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		n, err := exec(ctx, tx, `UPDATE runs SET gives_up = 0, cure = $3, updated_at = $4 WHERE id = $1 AND fence = $2 AND gives_up = 1 AND state = 'needs_attention'`,
			run.ID, run.Fence, cure, micro(time.Now()))
		if err != nil || n == 0 {
			return err
		}
		tx.Changed("run", run.ID, 0, run.AccountID)
		return record(ctx, tx, ev)
	})
}

// CancelRun implements rotation.EndStore.
func (s *Store) CancelRun(ctx context.Context, run rotation.Run, reason string, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		err := execOne(ctx, tx, fault.New(fault.Conflict, "the run cannot be cancelled any more: it went on or has ended").WithCode("run-went-on").
			WithCure("look at it again").WithUnchanged("nothing was changed"),
			`UPDATE runs SET state = 'cancelled', fence = fence + 1, lease_until = 0, reason = $2, cure = '', updated_at = $3, ended_at = $3
			WHERE id = $1 AND state IN ('queued', 'waiting', 'needs_attention') AND begun IN ('planned', 'minted') AND reverts = ''`, run.ID, reason, micro(time.Now()))
		if err != nil {
			return err
		}
		if err := restageAll(ctx, tx, run.AccountID, inventory.Pending, inventory.Retired); err != nil {
			return err
		}
		if err := replan(ctx, tx, `SELECT $1`, run.AccountID); err != nil {
			return err
		}
		tx.Changed("run", run.ID, 0, run.AccountID)
		return record(ctx, tx, ev)
	})
}
