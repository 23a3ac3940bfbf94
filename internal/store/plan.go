package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/rotation"
)

var _ rotation.PlanStore = (*Store)(nil)

// scheduler is the actor of the runs that a schedule began.
const scheduler = "system:rotation-scheduler"

const standings = `SELECT a.id, a.name, a.resource_id, r.name, r.type, a.current, COALESCE(v.created_at, 0), a.asked_at,
	CASE WHEN a.checked_at > a.created_at THEN a.checked_at ELSE a.created_at END,
	(SELECT COUNT(*) FROM runs WHERE account_id = a.id AND state NOT IN ('done', 'rolled_back', 'cancelled')),
	(SELECT COUNT(*) FROM runs WHERE account_id = a.id AND state = 'rolled_back' AND actor_id = '` + scheduler + `' AND created_at >= v.created_at),
	COALESCE((SELECT MAX(ended_at) FROM runs WHERE account_id = a.id AND state = 'rolled_back' AND actor_id = '` + scheduler + `' AND created_at >= v.created_at), 0),
	a.policy_id, a.because, a.next_at, a.next_why, a.overdue_at, a.check_at, a.on_reveal, a.rehearse_at,
	CASE WHEN a.rehearsed_at > 0 THEN a.rehearsed_at ELSE a.created_at END, a.rehearsed_at,
	COALESCE((SELECT asked_at FROM rehearsals WHERE account_id = a.id), 0)
	FROM accounts a JOIN resources r ON r.id = a.resource_id LEFT JOIN versions v ON v.account_id = a.id AND v.number = a.current `

func scanStanding(r scanner) (s rotation.Standing, err error) {
	var made, asked, checked, busy, failed, next, overdue, check, reveal, rehearse, rehearsed, ever, rehearsal int64
	err = r.Scan(&s.ID, &s.Name, &s.ResourceID, &s.ResourceName, &s.ResourceType, &s.Current, &made, &asked, &checked, &busy, &s.Failed, &failed,
		&s.Plan.PolicyID, &s.Plan.Because, &next, &s.Plan.NextWhy, &overdue, &check, &reveal, &rehearse, &rehearsed, &ever, &rehearsal)
	s.RehearsedAt, s.Rehearsed, s.RehearsalAsked, s.Plan.RehearseAt = instant(rehearsed), ever > 0, instant(rehearsal), instant(rehearse)
	s.MadeAt, s.Asked, s.CheckedAt, s.Busy, s.FailedAt = instant(made), instant(asked), instant(checked), busy > 0, instant(failed)
	s.Plan.AccountID, s.Plan.NextAt, s.Plan.OverdueAt, s.Plan.CheckAt = s.ID, instant(next), instant(overdue), instant(check)
	s.Plan.OnReveal = time.Duration(reveal) * time.Microsecond
	return s, err
}

// Standing implements rotation.PlanStore.
func (s *Store) Standing(ctx context.Context, accountID string) (rotation.Standing, []rotation.Policy, error) {
	one, err := queryOne(ctx, s.read(ctx), "account", scanStanding, standings+`WHERE a.id = $1`, clean(accountID))
	if err != nil {
		return one, nil, err
	}
	all, err := s.Policies(ctx)
	if err != nil {
		return one, nil, err
	}
	some := []rotation.Standing{one}
	err = labelled(ctx, s.read(ctx), all, some)
	return some[0], all, err
}

// labelled fills in the labels of accounts' Secrets, if a policy asks for any.
func labelled(ctx context.Context, on queryer, all []rotation.Policy, some []rotation.Standing) error {
	asked := false
	for _, p := range all {
		for _, a := range p.Assignments {
			asked = asked || a.By == rotation.ByLabel
		}
	}
	if !asked || len(some) == 0 {
		return nil
	}
	at := map[string]int{}
	var ids []string
	for i, x := range some {
		at[x.ID] = i
		ids = append(ids, x.ID)
	}
	c := &clause{}
	type row struct{ account, labels string }
	rows, err := queryAll(ctx, on, func(r scanner) (x row, err error) { return x, r.Scan(&x.account, &x.labels) },
		`SELECT DISTINCT m.account_id, s.labels FROM mappings m JOIN secrets s ON s.id = m.secret_id WHERE s.deleted_at = 0 AND m.account_id IN (`+c.marks(ids)+`)`, c.args...)
	if err != nil {
		return err
	}
	for _, x := range rows {
		var labels map[string]string
		if err := json.Unmarshal([]byte(x.labels), &labels); err != nil {
			return err
		}
		some[at[x.account]].Labels = append(some[at[x.account]].Labels, labels)
	}
	return nil
}

// Replan implements rotation.PlanStore. What a plan is made of and the plan are in one transaction, so that no change
// between the two is overlooked.
func (s *Store) Replan(ctx context.Context, limit int, plan func([]rotation.Policy, rotation.Standing) rotation.Plan) (n int, err error) {
	some, err := queryAll(ctx, s.read(ctx), scanText, `SELECT id FROM accounts WHERE planned = 0 LIMIT 1`)
	if err != nil || len(some) == 0 {
		return 0, err
	}
	err = s.write(ctx, func(tx *Tx) error {
		all, err := policies(ctx, tx)
		if err != nil {
			return err
		}
		stale, err := queryAll(ctx, tx, scanStanding, standings+`WHERE a.planned = 0 ORDER BY a.id LIMIT $1`, limit)
		if err != nil {
			return err
		}
		if err := labelled(ctx, tx, all, stale); err != nil {
			return err
		}
		for _, x := range stale {
			if err := savePlan(ctx, tx, x, plan(all, x)); err != nil {
				return err
			}
		}
		n = len(stale)
		return nil
	})
	return n, err
}

func savePlan(ctx context.Context, tx *Tx, x rotation.Standing, p rotation.Plan) error {
	_, err := exec(ctx, tx, `UPDATE accounts SET planned = 1, policy_id = $2, because = $3, next_at = $4, next_why = $5, overdue_at = $6, check_at = $7, on_reveal = $8, rehearse_at = $9
		WHERE id = $1`, p.AccountID, p.PolicyID, p.Because, micro(p.NextAt), p.NextWhy, micro(p.OverdueAt), micro(p.CheckAt), p.OnReveal.Microseconds(), micro(p.RehearseAt))
	before := x.Plan
	seen := p.PolicyID != before.PolicyID
	for _, at := range [][2]time.Time{{p.NextAt, before.NextAt}, {p.OverdueAt, before.OverdueAt}, {p.CheckAt, before.CheckAt}} {
		seen = seen || micro(at[0]) != micro(at[1])
	}
	if err == nil && seen {
		tx.Changed("account", p.AccountID, 0, x.ResourceID)
	}
	return err
}

// Postpone implements rotation.PlanStore.
func (s *Store) Postpone(ctx context.Context, accountID string, from, to time.Time, why string) error {
	return s.write(ctx, func(tx *Tx) error {
		n, err := exec(ctx, tx, `UPDATE accounts SET next_at = $3, next_why = $4 WHERE id = $1 AND next_at = $2`, accountID, micro(from), micro(to), why)
		if n > 0 {
			tx.Changed("account", accountID, 0, "")
		}
		return err
	})
}

// DueAccounts implements rotation.PlanStore.
func (s *Store) DueAccounts(ctx context.Context, now time.Time, limit, most int) ([]string, error) {
	open, err := queryOne(ctx, s.read(ctx), "count", scanInt, `SELECT COUNT(*) FROM runs WHERE state IN ('queued', 'running') AND actor_id = $1`, scheduler)
	if err != nil {
		return nil, err
	}
	return queryAll(ctx, s.read(ctx), scanText, `SELECT id FROM accounts WHERE next_at > 0 AND next_at <= $1 AND `+noRestore+` ORDER BY next_at, id LIMIT $2`,
		micro(now), max(0, min(int64(limit), int64(most)-open)))
}

// DueChecks implements rotation.PlanStore.
func (s *Store) DueChecks(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return queryAll(ctx, s.read(ctx), scanText, `SELECT id FROM accounts WHERE check_at > 0 AND check_at <= $1 AND `+noRestore+` ORDER BY check_at, id LIMIT $2`, micro(now), limit)
}

// ClaimCheck implements rotation.PlanStore.
func (s *Store) ClaimCheck(ctx context.Context, accountID string, now, until time.Time) (claimed bool, err error) {
	err = s.write(ctx, func(tx *Tx) error {
		n, err := exec(ctx, tx, `UPDATE accounts SET check_at = $3 WHERE id = $1 AND check_at > 0 AND check_at <= $2 AND `+noRestore, accountID, micro(now), micro(until))
		claimed = n > 0
		return err
	})
	return claimed, err
}

// Checked implements rotation.PlanStore.
func (s *Store) Checked(ctx context.Context, accountID string, at time.Time) error {
	return s.write(ctx, func(tx *Tx) error {
		_, err := exec(ctx, tx, `UPDATE accounts SET checked_at = $2, planned = 0 WHERE id = $1 AND checked_at < $2`, accountID, micro(at))
		return err
	})
}

// RecordReveal implements access.RevealStore. What is due already does not become due later.
func (s *Store) RecordReveal(ctx context.Context, c access.Credential, key string, ev audit.Event) error {
	revealed := `id = $1`
	args := []any{c.AccountID, micro(time.Now())}
	if c.Secret {
		revealed = `id IN (SELECT account_id FROM mappings WHERE secret_id = $1 AND ($3 = '' OR key_name = $3))`
		args = append(args, key)
	}
	return s.write(ctx, func(tx *Tx) error {
		_, err := exec(ctx, tx, `UPDATE accounts SET asked_at = $2 + on_reveal, planned = 0
			WHERE on_reveal > 0 AND (asked_at = 0 OR asked_at > $2 + on_reveal) AND `+revealed, args...)
		if err != nil {
			return err
		}
		return record(ctx, tx, ev)
	})
}

// replan says that the plans of some accounts have to be made anew; accounts is a SELECT of their ids by $1.
func replan(ctx context.Context, tx *Tx, accounts, arg string) error {
	_, err := exec(ctx, tx, `UPDATE accounts SET planned = 0 WHERE planned = 1 AND id IN (`+accounts+`)`, arg)
	return err
}
