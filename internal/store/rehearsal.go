package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/rotation"
)

var _ rotation.RehearsalStore = (*Store)(nil)

// readinessNow is the expression for what the last rehearsal says of account x at present: one that passed long ago says
// nothing any more.
func readinessNow(where *clause) string {
	return `(CASE WHEN x.readiness = 'ready' AND x.rehearsed_at < ` + where.arg(micro(time.Now().Add(-rotation.ReadyFor))) + ` THEN 'stale' ELSE x.readiness END)`
}

// AskRehearsal implements rotation.RehearsalStore.
func (s *Store) AskRehearsal(ctx context.Context, accountID string, by identity.Actor, at time.Time, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		open, err := queryAll(ctx, tx, scanText, `SELECT id FROM runs WHERE account_id = $1 AND state NOT IN ('done', 'rolled_back', 'cancelled')`, accountID)
		if err != nil {
			return err
		}
		if len(open) > 0 {
			return fault.New(fault.Conflict, "a reset of this account is under way, so a rehearsal would say nothing of the next").WithCode("run-open").
				WithCure("wait for run %s, or mend what it needs and resume it", open[0]).WithUnchanged("nothing was changed")
		}
		if _, err := exec(ctx, tx, `INSERT INTO rehearsals (account_id, asked_at, asked_id, asked_name, at, actor_id, actor_name, cure, steps)
			VALUES ($1,$2,$3,$4,0,'','','','[]')
			ON CONFLICT (account_id) DO UPDATE SET asked_at = excluded.asked_at, asked_id = excluded.asked_id, asked_name = excluded.asked_name`,
			accountID, micro(at), by.ID, by.Name); err != nil {
			return err
		}
		missing := fault.New(fault.NotFound, "there is no such account")
		if err := execOne(ctx, tx, missing, `UPDATE accounts SET rehearse_at = $2 WHERE id = $1`, accountID, micro(at)); err != nil {
			return err
		}
		tx.Changed("account", accountID, 0, "")
		return record(ctx, tx, ev)
	})
}

// DueRehearsals implements rotation.RehearsalStore.
func (s *Store) DueRehearsals(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return queryAll(ctx, s.read(ctx), scanText, `SELECT id FROM accounts WHERE rehearse_at > 0 AND rehearse_at <= $1 ORDER BY rehearse_at, id LIMIT $2`, micro(now), limit)
}

// ClaimRehearsal implements rotation.RehearsalStore.
func (s *Store) ClaimRehearsal(ctx context.Context, accountID string, now, until time.Time) (claimed bool, by identity.Actor, err error) {
	err = s.write(ctx, func(tx *Tx) error {
		n, err := exec(ctx, tx, `UPDATE accounts SET rehearse_at = $3 WHERE id = $1 AND rehearse_at > 0 AND rehearse_at <= $2`, accountID, micro(now), micro(until))
		if claimed = n > 0; err != nil || !claimed {
			return err
		}
		asked, err := queryAll(ctx, tx, func(r scanner) (a identity.Actor, err error) { return a, r.Scan(&a.ID, &a.Name) },
			`SELECT asked_id, asked_name FROM rehearsals WHERE account_id = $1 AND asked_at > 0`, accountID)
		if len(asked) > 0 {
			by = asked[0]
		}
		return err
	})
	return claimed, by, err
}

// SaveRehearsal implements rotation.RehearsalStore. The account's revision stays: nothing that people edit has changed.
func (s *Store) SaveRehearsal(ctx context.Context, r rotation.Rehearsal, began time.Time, ev audit.Event) error {
	steps, err := json.Marshal(r.Steps)
	if err != nil {
		return fmt.Errorf("rehearsal of %s: %w", r.AccountID, err)
	}
	return s.write(ctx, func(tx *Tx) error {
		missing := fault.New(fault.NotFound, "there is no such account")
		if err := execOne(ctx, tx, missing, `UPDATE accounts SET readiness = $2, ready_reason = $3, rehearsed_at = $4, rehearse_at = 0, planned = 0 WHERE id = $1`,
			r.AccountID, string(r.State), r.Reason, micro(r.At)); err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `INSERT INTO rehearsals (account_id, asked_at, asked_id, asked_name, at, actor_id, actor_name, cure, steps)
			VALUES ($1,0,'','',$2,$3,$4,$5,$6)
			ON CONFLICT (account_id) DO UPDATE SET at = excluded.at, actor_id = excluded.actor_id, actor_name = excluded.actor_name, cure = excluded.cure,
				steps = excluded.steps, asked_at = CASE WHEN rehearsals.asked_at > $7 THEN rehearsals.asked_at ELSE 0 END`,
			r.AccountID, micro(r.At), r.By.ID, r.By.Name, r.Cure, string(steps), micro(began)); err != nil {
			return err
		}
		tx.Changed("account", r.AccountID, 0, "")
		return record(ctx, tx, ev)
	})
}

// Rehearsal returns the last rehearsal of an account; one without a time if there was none. asked is set while another is
// due because somebody asked for it.
func (s *Store) Rehearsal(ctx context.Context, accountID string) (r rotation.Rehearsal, asked bool, err error) {
	r.AccountID, r.State = accountID, rotation.ReadinessUnknown
	one, err := queryOne(ctx, s.read(ctx), "rehearsal", func(row scanner) (x rotation.Rehearsal, err error) {
		x.AccountID = accountID
		var at, waits int64
		var steps string
		if err := row.Scan(&waits, &at, &x.By.ID, &x.By.Name, &x.Cure, &steps, &x.State, &x.Reason); err != nil {
			return x, err
		}
		x.At, asked = instant(at), waits > 0
		return x, json.Unmarshal([]byte(steps), &x.Steps)
	}, `SELECT h.asked_at, h.at, h.actor_id, h.actor_name, h.cure, h.steps, a.readiness, a.ready_reason
		FROM rehearsals h JOIN accounts a ON a.id = h.account_id WHERE h.account_id = $1`, accountID)
	if errors.Is(err, fault.NotFound) {
		return r, false, nil
	}
	return one, asked, err
}
