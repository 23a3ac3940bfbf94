package store

import (
	"context"
	"time"

	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/vault"
)

// AddAccount stores an account, its first version where one is given (its Number is then 1), and the grant of its owner
// if one is given. It fails with fault.Conflict when an account of the resource has that name, or one of its logins.
func (s *Store) AddAccount(ctx context.Context, a inventory.Account, first *inventory.Version, owner *access.Grant, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		_, err := exec(ctx, tx, `INSERT INTO accounts (id, resource_id, name, state, reason, verified_at, current, created_at, rev, strategy, pair)
			VALUES ($1,$2,$3,$4,$5,$6,$7,$8,1,$9,$10)`,
			a.ID, a.ResourceID, a.Name, string(a.State), a.Reason, micro(a.VerifiedAt), a.Current, micro(a.CreatedAt), a.Strategy, a.Pair)
		if err != nil {
			return err
		}
		if err := takeLogins(ctx, tx, a); err != nil {
			return err
		}
		if first != nil {
			if err := insertVersion(ctx, tx, *first); err != nil {
				return err
			}
		}
		if err := insertOwner(ctx, tx, owner); err != nil {
			return err
		}
		tx.Changed("account", a.ID, 1, a.ResourceID)
		return record(ctx, tx, ev)
	})
}

const accountColumns = `id, resource_id, name, state, reason, verified_at, current, created_at, rev, strategy, pair`

func scanAccount(r scanner) (a inventory.Account, err error) {
	var verified, created int64
	err = r.Scan(&a.ID, &a.ResourceID, &a.Name, &a.State, &a.Reason, &verified, &a.Current, &created, &a.Rev, &a.Strategy, &a.Pair)
	a.VerifiedAt, a.CreatedAt = instant(verified), instant(created)
	return a, err
}

// Account returns an account of a resource that is not a Kubernetes one.
func (s *Store) Account(ctx context.Context, id string) (inventory.Account, error) {
	return queryOne(ctx, s.read(ctx), "account", scanAccount,
		`SELECT `+accountColumns+` FROM accounts WHERE id = $1`, clean(id))
}

// Versions returns an account's or a Secret's versions, newest first.
func (s *Store) Versions(ctx context.Context, accountID string) ([]inventory.Version, error) {
	return queryAll(ctx, s.read(ctx), scanVersion, `SELECT account_id, number, stage, source, actor_id, actor_name, created_at, retired_at, sealed, login
		FROM versions WHERE account_id = $1 ORDER BY number DESC`, accountID)
}

func scanVersion(r scanner) (v inventory.Version, err error) {
	var created, retired int64
	var sealed []byte
	err = r.Scan(&v.AccountID, &v.Number, &v.Stage, &v.Source, &v.ActorID, &v.ActorName, &created, &retired, &sealed, &v.Login)
	v.CreatedAt, v.RetiredAt, v.Sealed = instant(created), instant(retired), vault.Sealed(sealed)
	return v, err
}

// UpdateAccount stores the name, the state, the reason, the strategy and the second login of a. It fails with fault.Stale when rev is not the stored one,
// and with fault.Conflict while a run is open, which logs in by the name, when another account has one of the logins, or when the second login is the one in use and
// another is to take its place.
func (s *Store) UpdateAccount(ctx context.Context, a inventory.Account, rev int64, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := noOpenRun(ctx, tx, `SELECT $1`, a.ID); err != nil {
			return err
		}
		if err := changeLogins(ctx, tx, a); err != nil {
			return err
		}
		err := execOne(ctx, tx, stale("account"), `UPDATE accounts SET name = $3, state = $4, reason = $5, strategy = $6, pair = $7, planned = 0, rev = rev + 1 WHERE id = $1 AND rev = $2`,
			a.ID, rev, a.Name, string(a.State), a.Reason, a.Strategy, a.Pair)
		if err != nil {
			return err
		}
		tx.Changed("account", a.ID, rev+1, a.ResourceID)
		return record(ctx, tx, ev)
	})
}

// SetAccountState stores what a login with version number current showed; verifiedAt is when it
// worked, zero if it did not. It
// fails with fault.Stale when another version is current by now, which then says nothing of the account.
func (s *Store) SetAccountState(ctx context.Context, id string, current int64, state inventory.AccountState, reason string, verifiedAt time.Time, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if state == inventory.AccountOutOfSync {
			if err := noRunUnderWay(ctx, tx, id); err != nil {
				return err
			}
		}
		err := execOne(ctx, tx, stale("account"), `UPDATE accounts SET state = $3, reason = $4, verified_at = CASE WHEN $5 > verified_at THEN $5 ELSE verified_at END,
			checked_at = $6, planned = 0, rev = rev + 1 WHERE id = $1 AND current = $2`, id, current, string(state), reason, micro(verifiedAt), micro(time.Now()))
		if err != nil {
			return err
		}
		tx.Changed("account", id, 0, "")
		return record(ctx, tx, ev)
	})
}

// noRunUnderWay fails with fault.Conflict while a worker may be changing the account: that the system refuses the stored value
// says nothing then.
func noRunUnderWay(ctx context.Context, tx *Tx, accountID string) error {
	open, err := queryAll(ctx, tx, scanText, `SELECT id FROM runs WHERE account_id = $1 AND state IN ('queued', 'running', 'waiting')`, accountID)
	if err == nil && len(open) > 0 {
		err = fault.New(fault.Conflict, "a reset is under way, and the system may have the new value already").WithCode("run-open").
			WithCure("wait for run %s, which proves the new value", open[0]).WithUnchanged("the account's state was not changed")
	}
	return err
}

// SetAccountValue makes v the current version of an account whose credential was changed elsewhere, or was not known: the
// former current one becomes previous, the account is unverified, and keys that were in sync are behind. It fails with
// fault.Conflict while a run is open, and with fault.Stale when v.Number is not the next one.
func (s *Store) SetAccountValue(ctx context.Context, accountID string, v inventory.Version, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := noOpenRun(ctx, tx, `SELECT $1`, accountID); err != nil {
			return err
		}
		last, err := queryOne(ctx, tx, "account", scanInt, `SELECT COALESCE(MAX(number), 0) FROM versions WHERE account_id = $1`, accountID)
		if err != nil {
			return err
		}
		if v.Number != last+1 || v.AccountID != accountID {
			return stale("account")
		}
		if err := becomeCurrent(ctx, tx, v); err != nil {
			return err
		}
		tx.Changed("account", accountID, 0, "")
		return record(ctx, tx, ev)
	})
}

// becomeCurrent stores v as the current version of its account: the one before becomes previous, the account unverified,
// and keys that were in sync are behind.
func becomeCurrent(ctx context.Context, tx *Tx, v inventory.Version) error {
	if err := currentLogin(ctx, tx, &v); err != nil {
		return err
	}
	if err := restageLogin(ctx, tx, v.AccountID, v.Login, inventory.Previous, inventory.Retired); err != nil {
		return err
	}
	if err := restageAll(ctx, tx, v.AccountID, inventory.Current, inventory.Previous); err != nil {
		return err
	}
	v.Stage = inventory.Current
	if err := insertVersion(ctx, tx, v); err != nil {
		return err
	}
	missed := fault.New(fault.NotFound, "there is no such account")
	err := execOne(ctx, tx, missed, `UPDATE accounts SET current = $2, state = 'unverified', reason = '', verified_at = 0, asked_at = 0, planned = 0,
		rev = rev + 1 WHERE id = $1`, v.AccountID, v.Number)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `UPDATE mappings SET state = 'behind', reason = 'a newer value was stored', rev = rev + 1 WHERE account_id = $1 AND state = 'in_sync'
		AND place NOT LIKE '%"holds":"username"%'`, v.AccountID)
	return err
}

// DeleteAccount deletes an account with its versions, its ended runs and the grants on it. A resource whose reconcile
// account it was has none then. It fails with fault.Conflict while it is mapped or a run is open, and with fault.Stale
// when rev is not the stored one.
func (s *Store) DeleteAccount(ctx context.Context, id string, rev int64, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := deletable(ctx, tx, id, `SELECT $1`); err != nil {
			return err
		}
		if err := deleteAccounts(ctx, tx, `SELECT $1`, id); err != nil {
			return err
		}
		_, err := exec(ctx, tx, `UPDATE resources SET reconcile_account_id = '', rev = rev + 1 WHERE reconcile_account_id = $1`, id)
		if err != nil {
			return err
		}
		if err := execOne(ctx, tx, stale("account"), `DELETE FROM accounts WHERE id = $1 AND rev = $2`, id, rev); err != nil {
			return err
		}
		tx.Changed("account", id, rev+1, "")
		return record(ctx, tx, ev)
	})
}

// deletable fails with fault.Conflict while one of the accounts is mapped or turned; accounts is a SELECT of ids by $1.
func deletable(ctx context.Context, tx *Tx, arg, accounts string) error {
	if err := noOpenRun(ctx, tx, accounts, arg); err != nil {
		return err
	}
	n, err := queryOne(ctx, tx, "count", scanInt, `SELECT COUNT(*) FROM mappings WHERE account_id IN (`+accounts+`) OR secret_id IN (`+accounts+`)`, arg)
	if err != nil {
		return err
	}
	if n > 0 {
		return fault.New(fault.Conflict, "%d mapped keys depend on it", n).WithCode("mapped").
			WithCure("remove the mappings first").WithUnchanged("nothing was deleted")
	}
	return nil
}

func noOpenRun(ctx context.Context, tx *Tx, accounts, arg string) error {
	open, err := queryAll(ctx, tx, scanText, `SELECT id FROM runs WHERE account_id IN (`+accounts+`) AND state NOT IN ('done', 'rolled_back', 'cancelled')`, arg)
	if err != nil {
		return err
	}
	if len(open) > 0 {
		return fault.New(fault.Conflict, "a reset is under way").WithCode("run-open").
			WithCure("wait for it, or mend what run %s needs and resume it", open[0]).WithUnchanged("nothing was changed")
	}
	return nil
}

// deleteAccounts deletes what refers to the accounts or Secrets, but not their own rows.
func deleteAccounts(ctx context.Context, tx *Tx, accounts, arg string) error {
	runs := `WHERE run_id IN (SELECT id FROM runs WHERE account_id IN (` + accounts + `))`
	for _, text := range []string{
		`DELETE FROM run_writes ` + runs,
		`DELETE FROM run_waves ` + runs,
		`DELETE FROM run_replacements ` + runs,
		`DELETE FROM run_rollouts ` + runs,
		`DELETE FROM run_censuses ` + runs,
		`DELETE FROM runs WHERE account_id IN (` + accounts + `)`,
		`DELETE FROM rehearsals WHERE account_id IN (` + accounts + `)`,
		`DELETE FROM versions WHERE account_id IN (` + accounts + `)`,
		`DELETE FROM account_logins WHERE account_id IN (` + accounts + `)`,
		`DELETE FROM secret_keys WHERE secret_id IN (` + accounts + `)`,
		`DELETE FROM past_keys WHERE secret_id IN (` + accounts + `)`,
		`DELETE FROM key_changes WHERE secret_id IN (` + accounts + `)`,
		`DELETE FROM grants WHERE object_kind = 'account' AND object_id IN (` + accounts + `)`,
		`DELETE FROM policy_assignments WHERE named_by = 'account' AND pattern IN (` + accounts + `)`,
	} {
		if _, err := exec(ctx, tx, text, arg); err != nil {
			return err
		}
	}
	return nil
}

// AccountQuery chooses accounts of resources that are not Kubernetes ones. Empty fields choose everything. Sort is name,
// state, created or verified.
type AccountQuery struct {
	ListQuery
	ID, Name   string // exactly this one
	ResourceID string
	Type       []string // of the resource
	State      []string
	Policy     string   // id or name of the one that applies
	Ready      []string // what the last rehearsal showed: ready, not_ready, stale, unknown
	// Scheduled leaves out what is not due at any time. What is overdue comes first then, and the rest by when it is due,
	// unless Sort says otherwise.
	Scheduled bool
	// Overdue leaves out what is not overdue, and Before what is due then or later and not overdue. Both are for what is
	// Scheduled.
	Overdue bool
	Before  time.Time
}

// farAway is later than any time that is stored, in microseconds: what is overdue comes so much before the rest.
const farAway = `10000000000000000`

// AccountRow is an account with what belongs to it.
type AccountRow struct {
	inventory.Account
	ResourceName, ResourceType string
	ChangedAt                  time.Time        // when the current version was made; zero if there is none
	Mappings                   map[string]int64 // its mapped keys by state; never nil
	OpenRun                    string           // id of the run that has not ended; empty if there is none
	Login                      string           // of a pair: the one in use
	Policy                     string           // name of the policy that applies
	Plan                       rotation.Plan
	// Readiness is ready, not_ready, stale or unknown, and ReadyReason why; RehearsedAt is zero if there was no rehearsal.
	Readiness, ReadyReason string
	RehearsedAt            time.Time
	Level                  policy.Level
}

// Accounts returns one page of the accounts that v may know of.
func (s *Store) Accounts(ctx context.Context, v Viewer, q AccountQuery) (Page[AccountRow], error) {
	where := v.clause()
	v.visible(where, seesAccount)
	where.equal(`x.id`, q.ID)
	where.equal(`x.name`, q.Name)
	where.equal(`x.resource_id`, q.ResourceID)
	if len(q.Type) > 0 {
		types := &clause{args: where.args}
		types.oneOf(`type`, q.Type)
		where.args = types.args
		where.and(`x.resource_id IN (SELECT id FROM resources` + types.String() + `)`)
	}
	if q.Policy != "" {
		mark := where.arg(q.Policy)
		where.and(`x.policy_id IN (SELECT id FROM policies WHERE id = ` + mark + ` OR name = ` + mark + `)`)
	}
	if len(q.Ready) > 0 {
		where.oneOf(readinessNow(where), q.Ready)
	}
	usual, due := "name", `x.next_at`
	if q.Scheduled {
		overdue := `x.overdue_at > 0 AND x.overdue_at <= ` + where.arg(micro(time.Now()))
		where.and(`(x.next_at > 0 OR ` + overdue + `)`)
		if q.Overdue {
			where.and(`(` + overdue + `)`)
		}
		if !q.Before.IsZero() {
			where.and(`(x.next_at > 0 AND x.next_at < ` + where.arg(micro(q.Before)) + ` OR ` + overdue + `)`)
		}
		usual, due = "next", `CASE WHEN `+overdue+` THEN x.overdue_at - `+farAway+` ELSE x.next_at END`
	}
	if q.Search != "" {
		mark := where.pattern(q.Search)
		where.and(`(` + like(`x.name`, mark) + ` OR x.resource_id IN (SELECT id FROM resources WHERE ` + like(`name`, mark) + `))`)
	}
	l := listing[AccountRow]{
		with: v.with(), table: `accounts`, state: `x.state`, usual: usual,
		sorts: map[string]column{"name": {expr: `x.name`}, "state": {expr: `x.state`}, "created": {expr: `x.created_at`, number: true},
			"verified": {expr: `x.verified_at`, number: true}, "next": {expr: due, number: true}},
		columns: ofX(accountColumns) + `, r.name, r.type, COALESCE((SELECT created_at FROM versions WHERE account_id = x.id AND number = x.current), 0),
			COALESCE((SELECT id FROM runs WHERE account_id = x.id AND state NOT IN ('done', 'rolled_back', 'cancelled')), ''), CASE WHEN x.pair = '' THEN '' ELSE COALESCE((SELECT NULLIF(login, '') FROM versions WHERE account_id = x.id AND number = x.current), x.name) END, COALESCE(pol.name, ''), x.policy_id, x.because, x.next_at, x.next_why, x.overdue_at, x.check_at, x.rehearse_at, x.readiness, x.ready_reason, x.rehearsed_at, ` + v.level(reachesAccount),
		joins: `JOIN resources r ON r.id = x.resource_id LEFT JOIN policies pol ON pol.id = x.policy_id`,
		scan: func(r scanner) (row AccountRow, err error) {
			var changed, next, overdue, check, rehearse, rehearsed int64
			row.Account, err = scanAccount(wider{row: r, after: []any{&row.ResourceName, &row.ResourceType, &changed, &row.OpenRun, &row.Login,
				&row.Policy, &row.Plan.PolicyID, &row.Plan.Because, &next, &row.Plan.NextWhy, &overdue, &check, &rehearse, &row.Readiness, &row.ReadyReason, &rehearsed, &row.Level}})
			row.ChangedAt, row.Plan.AccountID = instant(changed), row.ID
			row.Plan.NextAt, row.Plan.OverdueAt, row.Plan.CheckAt = instant(next), instant(overdue), instant(check)
			row.Plan.RehearseAt, row.RehearsedAt = instant(rehearse), instant(rehearsed)
			if row.Readiness == string(rotation.Ready) && time.Since(row.RehearsedAt) > rotation.ReadyFor {
				row.Readiness = string(rotation.ReadinessStale)
			}
			return row, err
		},
	}
	p, err := l.page(ctx, s.read(ctx), q.ListQuery, q.State, where)
	if err != nil {
		return p, err
	}
	ids := make([]string, len(p.Items))
	for i, a := range p.Items {
		ids[i] = a.ID
	}
	by, err := tallies(ctx, s.read(ctx), &clause{}, `SELECT account_id, state, COUNT(*) FROM mappings WHERE account_id IN (%s) GROUP BY 1, 2`, ids)
	for i := range p.Items {
		p.Items[i].Mappings = by[p.Items[i].ID]
		if p.Items[i].Mappings == nil {
			p.Items[i].Mappings = map[string]int64{}
		}
	}
	return p, err
}
