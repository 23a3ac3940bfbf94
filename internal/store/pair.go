package store

import (
	"context"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
)

// takeLogins makes the logins of an account its own on its resource. It fails with fault.Conflict when another account has
// one of them: nothing else may change a login of a pair.
func takeLogins(ctx context.Context, tx *Tx, a inventory.Account) error {
	logins := []string{a.Name}
	if a.Pair != "" {
		logins = append(logins, a.Pair)
	}
	for _, login := range logins {
		_, err := exec(ctx, tx, `INSERT INTO account_logins (resource_id, login, account_id) VALUES ($1,$2,$3)`, a.ResourceID, login, a.ID)
		if hasCode(err, CodeDuplicate) {
			return fault.New(fault.Conflict, "there is an account on the resource that has one of these logins").WithCode(CodeDuplicate).
				WithCure("delete that account first, or name another login: a login belongs to one account").WithUnchanged("nothing was changed")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// changeLogins gives an account that is about to be changed its new logins. Keys that hold its user name are behind when
// that is another one.
func changeLogins(ctx context.Context, tx *Tx, a inventory.Account) error {
	was, err := queryOne(ctx, tx, "account", scanAccount, `SELECT `+accountColumns+` FROM accounts WHERE id = $1`, a.ID)
	if err != nil {
		return err
	}
	now := inventory.Version{AccountID: a.ID}
	if err := currentLogin(ctx, tx, &now); err != nil {
		return err
	}
	switch {
	case was.Pair != a.Pair && now.Login != "":
		return fault.New(fault.Conflict, "%s is the login that is in use", now.Login).WithCode("pair-in-use").
			WithCure("reset the account once, so that %s is in use; then change it", was.Name).WithUnchanged("nothing was changed")
	case was.Name == a.Name && was.Pair == a.Pair:
		return nil
	}
	if _, err := exec(ctx, tx, `DELETE FROM account_logins WHERE account_id = $1`, a.ID); err != nil {
		return err
	}
	if err := takeLogins(ctx, tx, a); err != nil {
		return err
	}
	if was.Pair != a.Pair { // nothing is known any more of what the login takes that leaves
		if err := restageLogin(ctx, tx, a.ID, was.Pair, inventory.Previous, inventory.Retired); was.Pair != "" && err != nil {
			return err
		}
	}
	if was.Name == a.Name || now.Login != "" {
		return nil
	}
	_, err = exec(ctx, tx, `UPDATE mappings SET state = 'behind', reason = 'the login has another name now', rev = rev + 1
		WHERE account_id = $1 AND state = 'in_sync' AND place LIKE '%"holds":%'`, a.ID)
	return err
}

// currentLogin fills in the login of v: the one that the account's current version belongs to.
func currentLogin(ctx context.Context, tx *Tx, v *inventory.Version) error {
	logins, err := queryAll(ctx, tx, scanText, `SELECT login FROM versions WHERE account_id = $1 AND stage = 'current'`, v.AccountID)
	if err == nil && len(logins) > 0 {
		v.Login = logins[0]
	}
	return err
}

// restageLogin moves every version of one login of an account that is in one stage to the next.
func restageLogin(ctx context.Context, tx *Tx, accountID, login string, from, to inventory.Stage) error {
	_, err := exec(ctx, tx, `UPDATE versions SET stage = $4, retired_at = $5 WHERE account_id = $1 AND login = $2 AND stage = $3`,
		accountID, login, string(from), string(to), retiredAt(to))
	return err
}

// SetSpareValue stores v as the value that the login of a pair takes which is not in use. It fails with fault.Conflict while
// a run is open or the account is no pair, and with fault.Stale when v.Number is not the next one.
func (s *Store) SetSpareValue(ctx context.Context, v inventory.Version, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := noOpenRun(ctx, tx, `SELECT $1`, v.AccountID); err != nil {
			return err
		}
		last, err := queryOne(ctx, tx, "account", scanInt, `SELECT COALESCE(MAX(number), 0) FROM versions WHERE account_id = $1`, v.AccountID)
		if err != nil {
			return err
		}
		if v.Number != last+1 {
			return stale("account")
		}
		a, err := s.resetAccount(ctx, tx, v.AccountID)
		if err != nil {
			return err
		}
		if a.Pair == "" || a.Current == 0 {
			return fault.New(fault.Conflict, "the account is no pair with a login in use").WithCure("make it one, and store the value of the login that is in use first")
		}
		v.Login, v.Stage = a.Idle(), inventory.Previous
		if err := restageLogin(ctx, tx, v.AccountID, v.Login, inventory.Previous, inventory.Retired); err != nil {
			return err
		}
		if err := insertVersion(ctx, tx, v); err != nil {
			return err
		}
		err = execOne(ctx, tx, stale("account"), `UPDATE accounts SET rev = rev + 1 WHERE id = $1`, v.AccountID)
		if err != nil {
			return err
		}
		tx.Changed("account", v.AccountID, 0, "")
		return record(ctx, tx, ev)
	})
}

// resetAccount returns what a reset needs to know of an account: of a pair which login is in use, what the other takes, and
// the last run that put one into use, if it was ended before everybody had it.
func (s *Store) resetAccount(ctx context.Context, q queryer, id string) (rotation.Account, error) {
	a, err := queryOne(ctx, q, "account", func(r scanner) (a rotation.Account, err error) {
		return a, r.Scan(&a.ID, &a.Name, &a.ResourceID, &a.Current, &a.Strategy, &a.Pair, &a.Login)
	}, `SELECT a.id, a.name, a.resource_id, a.current, a.strategy, a.pair, COALESCE(v.login, '')
		FROM accounts a LEFT JOIN versions v ON v.account_id = a.id AND v.number = a.current WHERE a.id = $1`, clean(id))
	if err != nil || a.Pair == "" {
		return a, err
	}
	a.Spare, err = queryOne(ctx, q, "account", scanInt, `SELECT COALESCE(MAX(number), 0) FROM versions WHERE account_id = $1 AND login = $2 AND stage = 'previous'`, a.ID, a.Idle())
	if err != nil {
		return a, err
	}
	last, err := queryAll(ctx, q, func(r scanner) (x [2]string, err error) { return x, r.Scan(&x[0], &x[1]) },
		`SELECT id, state FROM runs WHERE account_id = $1 AND strategy = 'alternating' AND step NOT IN ('planned', 'minted', 'applied') ORDER BY id DESC LIMIT 1`, a.ID)
	if err == nil && len(last) > 0 && last[0][1] != string(rotation.Finished) {
		a.Unsettled = last[0][0]
	}
	return a, err
}

// pairStands makes sure that a run of a pair changes the login of it that is not in use, and to a value of its own.
func (s *Store) pairStands(ctx context.Context, tx *Tx, run rotation.Run) error {
	if run.Strategy != rotation.Alternating {
		return nil
	}
	a, err := s.resetAccount(ctx, tx, run.AccountID)
	if err != nil {
		return err
	}
	if a.Strategy != rotation.Alternating || a.Idle() != run.Login || a.Beside() != run.Beside || a.Spare != run.Spare {
		return stale("account")
	}
	if run.Restores == 0 {
		return nil
	}
	login, err := queryOne(ctx, tx, "version", scanText, `SELECT login FROM versions WHERE account_id = $1 AND number = $2`, run.AccountID, run.Restores)
	if err == nil && login != run.Login {
		err = fault.New(fault.Conflict, "version %d is of the login that is in use, and a run changes only the other one", run.Restores).WithCode("pair-in-use").
			WithCure("choose a version of the other login, or let a value be generated").WithUnchanged("nothing was changed")
	}
	return err
}

// Login returns whose value a version is; empty for the account's name.
func (s *Store) Login(ctx context.Context, accountID string, version int64) (string, error) {
	return queryOne(ctx, s.read(ctx), "version", scanText, `SELECT login FROM versions WHERE account_id = $1 AND number = $2`, accountID, version)
}
