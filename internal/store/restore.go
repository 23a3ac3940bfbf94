package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/vault"
)

var _ rotation.RestoreStore = (*Store)(nil)

const (
	restoreColumns = `id, seen_in, inside, outside, outside_at, head, found_at, ended_at, ended_by`
	// noRestore is a condition that holds unless the repository was restored and nobody has ended that.
	noRestore       = `NOT EXISTS (SELECT 1 FROM restores WHERE ended_at = 0)`
	restoredColumns = `x.restore_id, x.account_id, COALESCE(r.name || '/' || a.name, ''), x.state, x.reason, x.cure, x.tried, x.run_id, x.at`
	restoredTables  = `restored_accounts x LEFT JOIN accounts a ON a.id = x.account_id LEFT JOIN resources r ON r.id = a.resource_id`
)

func scanRestore(r scanner) (x rotation.Restore, err error) {
	var signed, found, ended int64
	err = r.Scan(&x.ID, &x.SeenIn, &x.Inside, &x.Outside, &signed, &x.Head, &found, &ended, &x.EndedBy)
	x.OutsideAt, x.FoundAt, x.EndedAt = instant(signed), instant(found), instant(ended)
	return x, err
}

func scanRestored(r scanner) (x rotation.RestoredAccount, err error) {
	var tried string
	var at int64
	if err = r.Scan(&x.RestoreID, &x.AccountID, &x.Name, &x.State, &x.Reason, &x.Cure, &tried, &x.RunID, &at); err != nil {
		return x, err
	}
	x.At = instant(at)
	return x, json.Unmarshal([]byte(tried), &x.Tried)
}

// unrestored fails with the code repository-restored while a restore is open.
func unrestored(ctx context.Context, tx *Tx) error {
	open, err := queryOne(ctx, tx, "count", scanInt, `SELECT COUNT(*) FROM restores WHERE ended_at = 0`)
	if err == nil && open > 0 {
		err = rotation.ErrRestored()
	}
	return err
}

// Restores returns every restore, the newest first. One that is not ended is the first.
func (s *Store) Restores(ctx context.Context) ([]rotation.Restore, error) {
	return queryAll(ctx, s.read(ctx), scanRestore, `SELECT `+restoreColumns+` FROM restores ORDER BY id DESC`)
}

// OpenRestore returns the restore that is not ended, and whether there is one.
func (s *Store) OpenRestore(ctx context.Context) (rotation.Restore, bool, error) {
	return openRestore(ctx, s.read(ctx))
}

func openRestore(ctx context.Context, on queryer) (rotation.Restore, bool, error) {
	open, err := queryAll(ctx, on, scanRestore, `SELECT `+restoreColumns+` FROM restores WHERE ended_at = 0`)
	if err != nil || len(open) == 0 {
		return rotation.Restore{}, false, err
	}
	return open[0], true, nil
}

// BeginRestore stores that the repository is older than what is outside, has every account checked, and takes every open
// run from its worker. When a restore is open already, a newer head outside widens it; what was left unresolved is then
// checked again. It reports whether anything changed.
func (s *Store) BeginRestore(ctx context.Context, r rotation.Restore, ev audit.Event) (changed bool, err error) {
	err = s.write(ctx, func(tx *Tx) error {
		changed = false
		open, there, err := openRestore(ctx, tx)
		if err != nil {
			return err
		}
		if there && (r.Outside < open.Outside || r.Outside == open.Outside && !r.OutsideAt.After(open.OutsideAt)) {
			return nil
		}
		changed = true
		tx.Changed("restore", r.ID, 0, "")
		if there {
			_, err = exec(ctx, tx, `UPDATE restores SET seen_in = $2, outside = $3, outside_at = $4, head = $5 WHERE id = $1`, open.ID, r.SeenIn, r.Outside, micro(r.OutsideAt), r.Head)
			if err == nil {
				_, err = exec(ctx, tx, `UPDATE restored_accounts SET state = 'to_check' WHERE restore_id = $1 AND state IN ('unresolved', 'undecided')`, open.ID)
			}
		} else {
			err = insertRestore(ctx, tx, r)
		}
		if err != nil {
			return err
		}
		return record(ctx, tx, ev)
	})
	return changed, err
}

func insertRestore(ctx context.Context, tx *Tx, r rotation.Restore) error {
	_, err := exec(ctx, tx, `INSERT INTO restores (`+restoreColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,0,'')`,
		r.ID, r.SeenIn, r.Inside, r.Outside, micro(r.OutsideAt), r.Head, micro(r.FoundAt))
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `INSERT INTO restored_accounts (restore_id, account_id, state, reason, cure, tried, run_id, at, lease_until)
		SELECT $1, id, 'to_check', '', '', '[]', '', 0, 0 FROM accounts`, r.ID)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `UPDATE runs SET fence = fence + 1, lease_until = 0 WHERE state NOT IN ('done', 'rolled_back', 'cancelled')`)
	return err
}

// DueRestored returns up to limit accounts of the open restore that are to be checked.
func (s *Store) DueRestored(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return queryAll(ctx, s.read(ctx), scanText, `SELECT account_id FROM restored_accounts WHERE state = 'to_check' AND lease_until <= $1
		AND restore_id IN (SELECT id FROM restores WHERE ended_at = 0) ORDER BY account_id LIMIT $2`, micro(now), limit)
}

// ClaimRestored implements rotation.RestoreStore. An account that was deleted needs no check any more.
func (s *Store) ClaimRestored(ctx context.Context, accountID string, until time.Time) (x rotation.RestoredAccount, err error) {
	gone := false
	err = s.write(ctx, func(tx *Tx) error {
		err := execOne(ctx, tx, fault.New(fault.Conflict, "the account needs no check, or is being checked"), `UPDATE restored_accounts SET lease_until = $2
			WHERE account_id = $1 AND state = 'to_check' AND lease_until <= $3 AND restore_id IN (SELECT id FROM restores WHERE ended_at = 0)`, accountID, micro(until), micro(time.Now()))
		if err != nil {
			return err
		}
		x, err = queryOne(ctx, tx, "account", scanRestored, `SELECT `+restoredColumns+` FROM `+restoredTables+`
			WHERE x.account_id = $1 AND x.restore_id IN (SELECT id FROM restores WHERE ended_at = 0)`, accountID)
		if gone = err == nil && x.Name == ""; gone {
			_, err = exec(ctx, tx, `DELETE FROM restored_accounts WHERE restore_id = $1 AND account_id = $2`, x.RestoreID, accountID)
		}
		return err
	})
	if gone && err == nil {
		err = fault.New(fault.Conflict, "the account was deleted")
	}
	return x, err
}

// RestoredAccounts returns the accounts of a restore, those that wait for a person first.
func (s *Store) RestoredAccounts(ctx context.Context, restoreID string) ([]rotation.RestoredAccount, error) {
	return queryAll(ctx, s.read(ctx), scanRestored, `SELECT `+restoredColumns+` FROM `+restoredTables+` WHERE x.restore_id = $1 AND a.id IS NOT NULL
		ORDER BY CASE x.state WHEN 'unresolved' THEN 0 WHEN 'undecided' THEN 1 WHEN 'to_check' THEN 2 WHEN 'adopted' THEN 3 ELSE 4 END, r.name, a.name`, restoreID)
}

// RecheckRestored has accounts of the open restore checked again; none means all that wait for a person. It returns how many.
func (s *Store) RecheckRestored(ctx context.Context, accountIDs []string, ev audit.Event) (n int64, err error) {
	err = s.write(ctx, func(tx *Tx) error {
		open, there, err := openRestore(ctx, tx)
		if err != nil {
			return err
		}
		if !there {
			return notRestored()
		}
		c := &clause{}
		c.and(`restore_id = ` + c.arg(open.ID))
		if len(accountIDs) > 0 {
			c.and(`account_id IN (` + c.marks(accountIDs) + `)`)
		} else {
			c.and(`state IN ('unresolved', 'undecided')`)
		}
		if n, err = exec(ctx, tx, `UPDATE restored_accounts SET state = 'to_check', lease_until = 0`+c.String(), c.args...); err != nil {
			return err
		}
		tx.Changed("restore", open.ID, 0, "")
		return record(ctx, tx, ev.With("accounts", fmt.Sprint(n)))
	})
	return n, err
}

func notRestored() error {
	return fault.New(fault.Conflict, "the repository is not restored: nothing of it waits to be checked").WithCode("not-restored").WithUnchanged("nothing was changed")
}

// StoredVersions implements rotation.RestoreStore.
func (s *Store) StoredVersions(ctx context.Context, accountID string) ([]rotation.StoredVersion, error) {
	return queryAll(ctx, s.read(ctx), func(r scanner) (v rotation.StoredVersion, err error) { return v, r.Scan(&v.Number, &v.Stage) },
		`SELECT number, stage FROM versions WHERE account_id = $1 AND stage <> 'retired' ORDER BY number DESC`, accountID)
}

// SettleRestored implements rotation.RestoreStore. What a silent system accepts is not known, so its open run stays until
// the restore is ended.
func (s *Store) SettleRestored(ctx context.Context, x rotation.RestoredAccount, refused bool, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		evs := []audit.Event{ev}
		now := micro(time.Now())
		if x.State.Settled() || x.State == rotation.RestoredUndecided || refused {
			given, err := giveUp(ctx, tx, x, ev)
			if err != nil {
				return err
			}
			if given != nil {
				x.RunID = given.Run
				evs = append(evs, *given)
			}
		}
		text := ``
		switch {
		case x.State == rotation.RestoredVerified:
			text = `UPDATE accounts SET state = 'verified', reason = '', verified_at = $2, checked_at = $2, planned = 0, rev = rev + 1 WHERE id = $1`
		case refused:
			text = `UPDATE accounts SET state = 'out_of_sync', reason = 'the system refuses the value that a restored backup has', checked_at = $2, planned = 0, rev = rev + 1 WHERE id = $1`
		}
		if text != `` {
			if _, err := exec(ctx, tx, text, x.AccountID, now); err != nil {
				return err
			}
			tx.Changed("account", x.AccountID, 0, "")
		}
		if err := saveRestored(ctx, tx, x); err != nil {
			return err
		}
		return record(ctx, tx, evs...)
	})
}

// AdoptRestored implements rotation.RestoreStore.
func (s *Store) AdoptRestored(ctx context.Context, x rotation.RestoredAccount, adopted rotation.Adopted, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		given, err := giveUp(ctx, tx, x, ev)
		if err != nil {
			return err
		}
		evs := []audit.Event{ev}
		if given != nil {
			x.RunID = given.Run
			evs = append(evs, *given)
		}
		now := micro(time.Now())
		err = becomeCurrent(ctx, tx, inventory.Version{AccountID: x.AccountID, Number: adopted.Version, Source: inventory.Adopted, ActorID: ev.Actor.ID,
			ActorName: ev.Actor.Name, CreatedAt: time.Now(), Sealed: adopted.Sealed, Mark: vault.Mark{Print: adopted.Print, Common: adopted.Common}})
		if err != nil {
			return err
		}
		_, err = exec(ctx, tx, `UPDATE accounts SET state = 'verified', verified_at = $2, checked_at = $2 WHERE id = $1`, x.AccountID, now)
		if err != nil {
			return err
		}
		for _, id := range adopted.Holds {
			_, err := exec(ctx, tx, `UPDATE mappings SET state = 'in_sync', reason = '', written = $2, fingerprint = $3, checked_at = $4, rev = rev + 1
				WHERE id = $1 AND state <> 'tombstone'`, id, adopted.Version, adopted.Print[:], now)
			if err != nil {
				return err
			}
			tx.Changed("mapping", id, 0, x.AccountID)
		}
		tx.Changed("account", x.AccountID, 0, "")
		if err := saveRestored(ctx, tx, x); err != nil {
			return err
		}
		return record(ctx, tx, evs...)
	})
}

func saveRestored(ctx context.Context, tx *Tx, x rotation.RestoredAccount) error {
	tried, err := json.Marshal(append([]rotation.Tried{}, x.Tried...))
	if err != nil {
		return err
	}
	tx.Changed("restore", x.RestoreID, 0, "")
	return execOne(ctx, tx, fault.New(fault.Stale, "the restore was ended meanwhile").WithUnchanged("nothing was stored"),
		`UPDATE restored_accounts SET state = $3, reason = $4, cure = $5, tried = $6, run_id = CASE WHEN $7 = '' THEN run_id ELSE $7 END, at = $8, lease_until = 0
		WHERE restore_id = $1 AND account_id = $2 AND restore_id IN (SELECT id FROM restores WHERE ended_at = 0)`,
		x.RestoreID, x.AccountID, string(x.State), x.Reason, x.Cure, string(tried), x.RunID, micro(time.Now()))
}

// giveUp ends the open run of an account that was checked, and returns the event that says so; nil if there is none. Its
// value stays in the vault as a retired version.
func giveUp(ctx context.Context, tx *Tx, x rotation.RestoredAccount, because audit.Event) (*audit.Event, error) {
	open, err := queryAll(ctx, tx, scanText, `SELECT id FROM runs WHERE account_id = $1 AND state NOT IN ('done', 'rolled_back', 'cancelled')`, x.AccountID)
	if err != nil || len(open) == 0 {
		return nil, err
	}
	why := "the repository was restored from a backup made while this run was under way; the account is " + strings.ReplaceAll(string(x.State), "_", " ")
	_, err = exec(ctx, tx, `UPDATE runs SET state = 'cancelled', fence = fence + 1, lease_until = 0, reason = $2, cure = '', updated_at = $3, ended_at = $3 WHERE id = $1`,
		open[0], why, micro(time.Now()))
	if err != nil {
		return nil, err
	}
	if err := restageAll(ctx, tx, x.AccountID, inventory.Pending, inventory.Retired); err != nil {
		return nil, err
	}
	tx.Changed("run", open[0], 0, x.AccountID)
	ev := audit.New(identity.Actor{ID: because.Actor.ID, Name: because.Actor.Name, Kind: because.Actor.Kind}, "run.cancelled",
		audit.Object{Kind: "account", ID: x.AccountID, Name: x.Name}).WithRun(open[0]).With("reason", why)
	return &ev, nil
}

// EndRestore ends the open restore. accepted are the accounts that the caller takes as they are: every one that is neither
// settled nor among them fails it with fault.Conflict, naming them. Runs that are still open are given up, and what is due
// is worked out anew.
func (s *Store) EndRestore(ctx context.Context, accepted []string, by string, ev audit.Event) (ended rotation.Restore, err error) {
	err = s.write(ctx, func(tx *Tx) error {
		open, there, err := openRestore(ctx, tx)
		if err != nil {
			return err
		}
		if !there {
			return notRestored()
		}
		rest, err := queryAll(ctx, tx, scanRestored, `SELECT `+restoredColumns+` FROM `+restoredTables+` WHERE x.restore_id = $1 AND a.id IS NOT NULL
			AND x.state NOT IN ('verified', 'adopted', 'agrees') ORDER BY r.name, a.name`, open.ID)
		if err != nil {
			return err
		}
		if err := allAccepted(rest, accepted); err != nil {
			return err
		}
		evs := []audit.Event{ev.With("accepted", fmt.Sprint(len(rest))).With("lost", open.Lost())}
		for _, x := range rest {
			one := audit.New(identity.Actor{ID: ev.Actor.ID, Name: ev.Actor.Name, Kind: ev.Actor.Kind}, "restore.unresolved",
				audit.Object{Kind: "account", ID: x.AccountID, Name: x.Name}).With("reason", x.Reason)
			evs = append(evs, one)
			given, err := giveUp(ctx, tx, x, ev)
			if err != nil {
				return err
			}
			if given != nil {
				evs = append(evs, *given)
			}
		}
		now := time.Now()
		if _, err := exec(ctx, tx, `UPDATE restores SET ended_at = $2, ended_by = $3 WHERE id = $1`, open.ID, micro(now), by); err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `UPDATE accounts SET planned = 0`); err != nil {
			return err
		}
		ended, ended.EndedAt, ended.EndedBy = open, now, by
		tx.Changed("restore", open.ID, 0, "")
		return record(ctx, tx, evs...)
	})
	return ended, err
}

// mostNamed is how many accounts an error names.
const mostNamed = 10

func allAccepted(rest []rotation.RestoredAccount, accepted []string) error {
	taken := map[string]bool{}
	for _, id := range accepted {
		taken[id] = true
	}
	var names []string
	checking := 0
	for _, x := range rest {
		if x.State == rotation.RestoredToCheck {
			checking++
		} else if !taken[x.AccountID] {
			names = append(names, x.Name)
		}
	}
	switch {
	case checking > 0:
		return fault.New(fault.Conflict, "%d accounts are still to be checked", checking).WithCode("restore-checking").
			WithCure("wait until they are").WithUnchanged("nothing was changed")
	case len(names) > mostNamed:
		names = append(names[:mostNamed], fmt.Sprintf("and %d more", len(names)-mostNamed))
	case len(names) == 0:
		return nil
	}
	return fault.New(fault.Conflict, "it is not known which value these accounts' systems accept, or not decided which is right: %s", strings.Join(names, ", ")).
		WithCode("restore-unresolved").WithCure("mend and check them, or accept each of them by its name").WithUnchanged("nothing was changed")
}

// HeadOf returns the head that the log had when it had size entries; the zero Head if it never had one of that size.
func (s *Store) HeadOf(ctx context.Context, size int64) (audit.Head, error) {
	heads, err := queryAll(ctx, s.read(ctx), scanHead, `SELECT size, hash, at, note FROM audit_checkpoints WHERE size = $1`, size)
	if err != nil || len(heads) == 0 {
		return audit.Head{}, err
	}
	return heads[0], nil
}

// recentEvents is how many events of one kind are looked at for the one with the highest place: their order by id is that
// by place but for those of the same moment.
const recentEvents = 64

// LastValue returns the place in the log of the newest event that made a value, or made one current; -1 if there is none.
func (s *Store) LastValue(ctx context.Context) (int64, error) {
	last := int64(-1)
	for _, action := range []string{"run.minted", "run.verified", "account.create", "account.update", "account.reset", "restore.adopt", "restore.accept"} {
		seq, err := queryOne(ctx, s.read(ctx), "event", scanInt, `SELECT COALESCE(MAX(seq), -1) FROM (SELECT seq FROM audit_events WHERE action = $1
			ORDER BY id DESC LIMIT $2) e`, action, recentEvents)
		if err != nil {
			return last, err
		}
		last = max(last, seq)
	}
	return last, nil
}
