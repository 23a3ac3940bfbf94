package store

import (
	"context"
	"fmt"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/vault"
)

var _ rotation.Store = (*Store)(nil)

const runColumns = `id, account_id, state, step, begun, fence, new_version, old_version, prepared, minted, tries, proved, typed, reason, cure,
	not_before, actor_id, actor_name, created_at, updated_at, ended_at, policy, strategy, made_under, reverts, login, beside, spare, wave, waves, gives_up, plan`

func scanRun(r scanner) (run rotation.Run, err error) {
	var notBefore, created, updated, ended int64
	var prepared []byte
	err = r.Scan(&run.ID, &run.AccountID, &run.State, &run.Step, &run.Begun, &run.Fence, &run.New, &run.Old, &prepared, &run.Minted,
		&run.Tries, &run.Proved, &run.Typed, &run.Reason, &run.Cure, &notBefore, &run.StartedBy.ID, &run.StartedBy.Name, &created, &updated, &ended, &run.Policy,
		&run.Strategy, &run.MadeUnder, &run.Reverts, &run.Login, &run.Beside, &run.Spare, &run.Wave, &run.Waves, &run.GivesUp, &run.Plan)
	run.Prepared = vault.Sealed(prepared)
	run.NotBefore, run.CreatedAt, run.UpdatedAt, run.EndedAt = instant(notBefore), instant(created), instant(updated), instant(ended)
	return run, err
}

// OpenRun stores a new run in the state queued. A given value is stored with it as a pending version, sealed by the caller
// for number run.New. It fails with fault.Conflict while another run of the account has not ended, and with fault.Stale
// when run.Old is not the account's current version any more. The run that it reverts is ended with it.
func (s *Store) OpenRun(ctx context.Context, run rotation.Run, given rotation.Given, sealed vault.Sealed, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := unrestored(ctx, tx); err != nil {
			return err
		}
		if err := endReverted(ctx, tx, run); err != nil {
			return err
		}
		open, err := queryAll(ctx, tx, scanText, `SELECT id FROM runs WHERE account_id = $1 AND state NOT IN ('done', 'rolled_back', 'cancelled')`, run.AccountID)
		if err != nil {
			return err
		}
		if len(open) > 0 {
			return fault.New(fault.Conflict, "another reset of this account is under way").WithCode("run-open").
				WithCure("wait for it, or mend what run %s needs and resume it", open[0]).WithUnchanged("nothing was changed")
		}
		current, err := queryOne(ctx, tx, "account", scanInt, `SELECT current FROM accounts WHERE id = $1`, run.AccountID)
		if err != nil {
			return err
		}
		if current != run.Old {
			return stale("account")
		}
		if err := s.pairStands(ctx, tx, run); err != nil {
			return err
		}
		now := micro(run.CreatedAt)
		_, err = exec(ctx, tx, `INSERT INTO runs (`+runColumns+`, lease_owner, lease_until)
			VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23,'',$24,$25,$26,$27,0,0,0,$28,'',0)`,
			run.ID, run.AccountID, string(rotation.Queued), string(rotation.Planned), string(rotation.Planned), run.Fence, run.New, run.Old,
			nil, 0, 0, 0, flag(run.Typed), "", "", 0, run.StartedBy.ID, run.StartedBy.Name, now, now, 0, run.Policy, string(run.Strategy), run.Reverts, run.Login, run.Beside, run.Spare, run.Plan)
		if err != nil {
			return err
		}
		if run.Typed {
			if err := insertVersion(ctx, tx, version(run, inventory.Source(given), sealed)); err != nil {
				return err
			}
		}
		if err := takeTurn(ctx, tx, run); err != nil {
			return err
		}
		tx.Changed("run", run.ID, 0, run.AccountID)
		return record(ctx, tx, ev)
	})
}

// takeTurn stores that nothing of the account is due while it is turned. Of schedulers that found it due one alone gets
// past it.
func takeTurn(ctx context.Context, tx *Tx, run rotation.Run) error {
	if run.Due.IsZero() {
		return replan(ctx, tx, `SELECT $1`, run.AccountID)
	}
	return execOne(ctx, tx, stale("account"), `UPDATE accounts SET next_at = 0, planned = 0 WHERE id = $1 AND next_at = $2`, run.AccountID, micro(run.Due))
}

// Run returns a run.
func (s *Store) Run(ctx context.Context, id string) (rotation.Run, error) {
	return queryOne(ctx, s.read(ctx), "run", scanRun, `SELECT `+runColumns+` FROM runs WHERE id = $1`, clean(id))
}

// DueRuns returns the ids of up to limit runs that somebody should work on at now: not ended, not waiting for a later
// time, and under no lease that holds. Oldest first.
func (s *Store) DueRuns(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return queryAll(ctx, s.read(ctx), scanText, `SELECT id FROM runs WHERE state IN ('queued', 'running', 'waiting')
		AND not_before <= $1 AND lease_until <= $1 AND `+noRestore+` ORDER BY not_before, id LIMIT $2`, micro(now), limit)
}

// Requeue makes a run that waits or needs attention due at once, with all its tries again. Keys that were refused are
// tried again, and so are workloads; those that ask have been answered. It fails with fault.Conflict when the run is under way or has ended.
func (s *Store) Requeue(ctx context.Context, id string, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := unrestored(ctx, tx); err != nil {
			return err
		}
		err := execOne(ctx, tx, fault.New(fault.Conflict, "this run neither waits nor needs attention").WithUnchanged("nothing was changed"),
			`UPDATE runs SET state = 'queued', tries = 0, not_before = 0, gives_up = 0, reason = '', cure = '', lease_until = 0, fence = fence + 1, updated_at = $2
			WHERE id = $1 AND state IN ('waiting', 'needs_attention')`, id, micro(time.Now()))
		if err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `DELETE FROM run_writes WHERE run_id = $1 AND state <> $2`, id, string(rotation.WriteDone)); err != nil {
			return err
		}
		_, err = exec(ctx, tx, `UPDATE run_rollouts SET state = 'to_do', reason = '', cure = '' WHERE run_id = $1 AND state IN ('asks', 'stuck', 'held')`, id)
		if err != nil {
			return err
		}
		account, err := queryOne(ctx, tx, "run", scanText, `SELECT account_id FROM runs WHERE id = $1`, id)
		if err != nil {
			return err
		}
		tx.Changed("run", id, 0, account)
		return record(ctx, tx, ev)
	})
}

// Claim implements rotation.Leases.
func (s *Store) Claim(ctx context.Context, id, owner string, ttl time.Duration) (run rotation.Run, err error) {
	err = s.write(ctx, func(tx *Tx) error {
		if err := unrestored(ctx, tx); err != nil {
			return err
		}
		now := time.Now()
		err := execOne(ctx, tx, fault.New(fault.Conflict, "the run has ended, needs attention or is worked on by somebody else"),
			`UPDATE runs SET state = 'running', fence = fence + 1, lease_owner = $2, lease_until = $3, updated_at = $4
			WHERE id = $1 AND state IN ('queued', 'running', 'waiting') AND (lease_until <= $4 OR lease_owner = $2)`,
			id, owner, micro(now.Add(ttl)), micro(now))
		if err != nil {
			return err
		}
		if run, err = queryOne(ctx, tx, "run", scanRun, `SELECT `+runColumns+` FROM runs WHERE id = $1`, id); err != nil {
			return err
		}
		tx.Changed("run", id, 0, run.AccountID)
		run.AccountName, err = queryOne(ctx, tx, "account", scanText, `SELECT name FROM accounts WHERE id = $1`, run.AccountID)
		return err
	})
	return run, err
}

// Renew implements rotation.Leases.
func (s *Store) Renew(ctx context.Context, run rotation.Run, ttl time.Duration) error {
	return s.write(ctx, func(tx *Tx) error {
		return execOne(ctx, tx, lostLease(), `UPDATE runs SET lease_until = $3 WHERE id = $1 AND fence = $2`, run.ID, run.Fence, micro(time.Now().Add(ttl)))
	})
}

// Begin implements rotation.Store.
func (s *Store) Begin(ctx context.Context, run rotation.Run, step rotation.Step) error {
	return s.write(ctx, func(tx *Tx) error {
		tx.Changed("run", run.ID, 0, run.AccountID)
		return execOne(ctx, tx, lostLease(), `UPDATE runs SET begun = $3, updated_at = $4 WHERE id = $1 AND fence = $2`,
			run.ID, run.Fence, string(step), micro(time.Now()))
	})
}

// Mint implements rotation.Store.
func (s *Store) Mint(ctx context.Context, run rotation.Run, sealed vault.Sealed, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := saveRun(ctx, tx, run); err != nil {
			return err
		}
		if err := sealedWith(ctx, tx, run.Prepared); err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `UPDATE runs SET prepared = $2 WHERE id = $1`, run.ID, []byte(run.Prepared)); err != nil {
			return err
		}
		if !run.Typed {
			if err := restageAll(ctx, tx, run.AccountID, inventory.Pending, inventory.Retired); err != nil {
				return err
			}
			if err := insertVersion(ctx, tx, version(run, inventory.Generated, sealed)); err != nil {
				return err
			}
		}
		return record(ctx, tx, ev)
	})
}

// Advance implements rotation.Store.
func (s *Store) Advance(ctx context.Context, run rotation.Run, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := saveRun(ctx, tx, run); err != nil {
			return err
		}
		if err := promote(ctx, tx, run); err != nil {
			return err
		}
		return record(ctx, tx, ev)
	})
}

// promote moves versions between stages as far as run has come. Doing it again changes nothing.
func promote(ctx context.Context, tx *Tx, run rotation.Run) error {
	switch {
	case run.State == rotation.RolledBack || run.State == rotation.Cancelled:
		return restage(ctx, tx, run.AccountID, run.New, inventory.Pending, inventory.Retired)
	case run.Step == rotation.Verified && run.Begun == rotation.Verified && run.State == rotation.Running:
		if err := restage(ctx, tx, run.AccountID, run.Old, inventory.Current, inventory.Previous); err != nil {
			return err
		}
		if err := restage(ctx, tx, run.AccountID, run.New, inventory.Pending, inventory.Current); err != nil {
			return err
		}
		tx.Changed("account", run.AccountID, 0, "")
		state, at := inventory.AccountUnverified, int64(0)
		if run.Proved {
			state, at = inventory.AccountVerified, micro(time.Now())
		}
		return execOne(ctx, tx, stale("account"), `UPDATE accounts SET current = $2, state = $5, reason = '', verified_at = $3, checked_at = CASE WHEN $3 > checked_at THEN $3 ELSE checked_at END,
			asked_at = 0, planned = 0, rev = rev + 1 WHERE id = $1 AND current IN ($2, $4)`, run.AccountID, run.New, at, run.Old, string(state))
	case run.State == rotation.Finished && run.Reverts != "":
		tx.Changed("run", run.Reverts, 0, run.AccountID)
		_, err := exec(ctx, tx, `UPDATE runs SET state = 'rolled_back', reason = $2, updated_at = $3 WHERE id = $1 AND state = 'cancelled'`,
			run.Reverts, "the value before it is in use again, proved by run "+run.ID, micro(time.Now()))
		return err
	case run.Step == rotation.RetiredOld && run.Strategy == rotation.Alternating:
		return restageLogin(ctx, tx, run.AccountID, run.Login, inventory.Previous, inventory.Retired)
	case run.Step == rotation.RetiredOld:
		return restage(ctx, tx, run.AccountID, run.Old, inventory.Previous, inventory.Retired)
	}
	return nil
}

// Writes implements rotation.Store.
func (s *Store) Writes(ctx context.Context, run rotation.Run) ([]rotation.Write, error) {
	return queryAll(ctx, s.read(ctx), scanWrite, `SELECT m.id, s.cluster_id, c.name, s.id, s.namespace, s.name, m.uid, m.key_name, m.on_write, m.place,
		CASE WHEN k.ours = s.resource_version AND s.uid = m.uid AND s.deleted_at = 0 THEN k.ours ELSE '' END, COALESCE(w.state, 'to_do'), COALESCE(w.reason, ''), COALESCE(w.cure, ''), COALESCE(w.taken, ''), COALESCE(w.at, 0)
		FROM mappings m JOIN secrets s ON s.id = m.secret_id JOIN clusters c ON c.id = s.cluster_id LEFT JOIN run_writes w ON w.mapping_id = m.id AND w.run_id = $1
		LEFT JOIN secret_keys k ON k.secret_id = s.id AND k.name = m.key_name
		WHERE m.account_id = $2 ORDER BY s.cluster_id, s.namespace, s.name, m.key_name`, run.ID, run.AccountID)
}

func scanWrite(r scanner) (w rotation.Write, err error) {
	var at int64
	var place string
	err = r.Scan(&w.MappingID, &w.ClusterID, &w.ClusterName, &w.SecretID, &w.Namespace, &w.Name, &w.UID, &w.Key, &w.OnWrite, &place, &w.Known, &w.State, &w.Reason, &w.Cure, &w.Taken, &at)
	w.At = instant(at)
	if err == nil {
		w.Place, err = placeOf(place)
	}
	return w, err
}

// LastVersion implements rotation.Store.
func (s *Store) LastVersion(ctx context.Context, accountID string) (int64, error) {
	return queryOne(ctx, s.read(ctx), "account", scanInt, `SELECT COALESCE(MAX(number), 0) FROM versions WHERE account_id = $1`, accountID)
}

// Sealed implements rotation.Store.
func (s *Store) Sealed(ctx context.Context, accountID string, number int64) (vault.Sealed, error) {
	return queryOne(ctx, s.read(ctx), "version", func(r scanner) (b vault.Sealed, err error) { return b, r.Scan((*[]byte)(&b)) },
		`SELECT sealed FROM versions WHERE account_id = $1 AND number = $2`, accountID, number)
}

// saveRun writes what a worker changes of a run, if the fence is still its own. A run that stops gives its lease back. What
// is prepared for the target stays: only Mint makes it, and it may have been sealed again since the worker read it.
func saveRun(ctx context.Context, tx *Tx, run rotation.Run) error {
	now := time.Now()
	var ended int64
	if run.State.Ended() {
		ended = micro(now)
		if err := replan(ctx, tx, `SELECT $1`, run.AccountID); err != nil {
			return err
		}
	}
	tx.Changed("run", run.ID, 0, run.AccountID)
	return execOne(ctx, tx, lostLease(), `UPDATE runs SET state = $3, step = $4, begun = $5, new_version = $6, minted = $7, tries = $8,
		reason = $9, cure = $10, not_before = $11, updated_at = $12, ended_at = $13, proved = $14, made_under = $15, wave = $16, gives_up = $17,
		lease_until = CASE WHEN $3 = 'running' THEN lease_until ELSE 0 END WHERE id = $1 AND fence = $2`,
		run.ID, run.Fence, string(run.State), string(run.Step), string(run.Begun), run.New, run.Minted, run.Tries,
		run.Reason, run.Cure, micro(run.NotBefore), micro(now), ended, flag(run.Proved), run.MadeUnder, run.Wave, flag(run.GivesUp))
}

func lostLease() error {
	return fault.New(fault.Stale, "another worker has taken this run over").WithCode("lease-lost").WithUnchanged("nothing was stored")
}

func version(run rotation.Run, source inventory.Source, sealed vault.Sealed) inventory.Version {
	by := run.StartedBy
	if by.ID == "" {
		by = identity.System("rotation-worker")
	}
	return inventory.Version{AccountID: run.AccountID, Number: run.New, Stage: inventory.Pending, Source: source, ActorID: by.ID, ActorName: by.Name,
		CreatedAt: time.Now(), Sealed: sealed, Mark: run.Mark, Login: run.Login}
}

func insertVersion(ctx context.Context, tx *Tx, v inventory.Version) error {
	if err := sealedWith(ctx, tx, v.Sealed); err != nil {
		return err
	}
	_, err := exec(ctx, tx, `INSERT INTO versions (account_id, number, stage, source, actor_id, actor_name, created_at, retired_at, sealed, login, fingerprint, common)
		VALUES ($1,$2,$3,$4,$5,$6,$7,0,$8,$9,$10,$11)`,
		v.AccountID, v.Number, string(v.Stage), string(v.Source), v.ActorID, v.ActorName, micro(v.CreatedAt), []byte(v.Sealed), v.Login,
		printOf(v.Mark), flag(v.Mark.Common))
	if err != nil {
		return fmt.Errorf("version %d: %w", v.Number, err)
	}
	return nil
}

// restage moves one version of an account from one stage to the next. If it is in another stage nothing happens.
func restage(ctx context.Context, tx *Tx, accountID string, number int64, from, to inventory.Stage) error {
	_, err := exec(ctx, tx, `UPDATE versions SET stage = $4, retired_at = $5 WHERE account_id = $1 AND number = $2 AND stage = $3`,
		accountID, number, string(from), string(to), retiredAt(to))
	return err
}

// restageAll moves every version of an account that is in one stage to the next.
func restageAll(ctx context.Context, tx *Tx, accountID string, from, to inventory.Stage) error {
	_, err := exec(ctx, tx, `UPDATE versions SET stage = $3, retired_at = $4 WHERE account_id = $1 AND stage = $2`,
		accountID, string(from), string(to), retiredAt(to))
	return err
}

func retiredAt(stage inventory.Stage) int64 {
	if stage == inventory.Retired {
		return micro(time.Now())
	}
	return 0
}

// micro and instant turn times into what is stored and back; the zero time is 0.
func micro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
