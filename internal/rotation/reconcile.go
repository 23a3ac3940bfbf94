package rotation

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/composite"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

// RestoreStore keeps restores. Every method that changes something commits the event in the same transaction.
type RestoreStore interface {
	// ClaimRestored gives the account of the open restore to the caller until a later time. It fails with fault.Conflict when
	// somebody else has it, it needs no check or no restore is open.
	ClaimRestored(ctx context.Context, accountID string, until time.Time) (RestoredAccount, error)
	ResetAccount(ctx context.Context, accountID string) (Account, error)
	// StoredVersions returns an account's versions that are not retired: the current one, the pending one, the previous one.
	StoredVersions(ctx context.Context, accountID string) ([]StoredVersion, error)
	Sealed(ctx context.Context, accountID string, version int64) (vault.Sealed, error)
	LastVersion(ctx context.Context, accountID string) (int64, error)
	// Writes returns the mapped keys of run.AccountID.
	Writes(ctx context.Context, run Run) ([]Write, error)
	// SettleRestored stores what became of the account, and gives up its open run when that is known. The account is verified
	// if that is the state, and out of sync if its system refused every value.
	SettleRestored(ctx context.Context, account RestoredAccount, refused bool, ev audit.Event) error
	// AdoptRestored does the same and stores the value that logged in as the current version. holds are the mappings whose keys
	// hold it; the others are behind.
	AdoptRestored(ctx context.Context, account RestoredAccount, adopted Adopted, ev audit.Event) error
}

// StoredVersion is one version of an account.
type StoredVersion struct {
	Number int64
	Stage  string
}

// Adopted is a value that logged in after a restore.
type Adopted struct {
	Version int64
	Sealed  vault.Sealed
	Print   vault.Fingerprint
	Common  bool     // as of a vault.Mark
	Holds   []string // ids of mappings
}

// Reconciler finds out, after a restore, which value each account's system accepts. It has no state of its own.
type Reconciler struct {
	Store    RestoreStore
	Vault    Vault
	Targets  Targets
	Clusters Clusters
}

var reconciler = identity.System("restore-reconciler")

// restoredLease is when a check that was lost with its process is made again.
const restoredLease = 2 * time.Minute

// copies are the values that stand in an account's mapped keys.
type copies struct {
	keys   []standing
	unread []string // what could not be read, and why
}

type standing struct {
	mapping, place string
	value          vault.Value
	print          vault.Fingerprint
}

// Check finds out which value an account's system accepts, by logging in: with the stored one, then with the others that
// the vault has, then with those that stand in its mapped Secrets. The first that is accepted becomes the current one. Few
// are tried at a time, and each one once, since failed logins may lock the account out.
func (r *Reconciler) Check(ctx context.Context, accountID string) error {
	row, err := r.Store.ClaimRestored(ctx, accountID, time.Now().Add(restoredLease))
	if err != nil {
		return err
	}
	account, err := r.Store.ResetAccount(ctx, accountID)
	if err != nil {
		return err
	}
	ev := audit.New(reconciler, "restore.check", audit.Object{Kind: "account", ID: account.ID, Name: account.Name, Parent: account.ResourceID})
	target, err := r.Targets.Open(ctx, accountID)
	switch {
	case err != nil && fault.KindOf(err) == "":
		return err
	case err != nil:
		return r.unresolved(ctx, row, false, reason(err), cure(err, "mend the cause, then check the account again"), ev)
	case !target.Remote():
		return r.compare(ctx, row, account, ev)
	}
	return r.probe(ctx, row, account, target, ev)
}

// probe logs in until a value is accepted.
func (r *Reconciler) probe(ctx context.Context, row RestoredAccount, account Account, target Target, ev audit.Event) error {
	all, err := r.stored(ctx, account)
	if err != nil {
		return err
	}
	var have copies
	if account.Current > 0 {
		switch answer, cause := target.As(account.Login).Prove(ctx, all[0].value); answer {
		case Accepted:
			row.State, row.Reason, row.Cure = RestoredVerified, "", ""
			return r.Store.SettleRestored(ctx, row, false, ev.With("state", string(row.State)))
		case NoAnswer:
			return r.unresolved(ctx, row, false, "the system did not answer: "+reason(cause), cure(cause, "bring it back, then check the account again"), ev)
		}
	}
	if account.Strategy == Alternating { // a value alone does not say whose it is
		return r.unresolved(ctx, row, account.Current > 0, "the system refuses the stored value of the login in use, and those of a pair are not guessed",
			"store what the two logins take with \"keyturn account edit\", then check the account again; with a reconcile account, accept it and reset it afterwards", ev)
	}
	if have, err = r.copies(ctx, account.ID); err != nil {
		return err
	}
	for _, k := range have.keys {
		all = append(all, candidate{what: "the value in " + k.place, value: k.value, print: k.print})
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.rank(account), b.rank(account)) })
	try, left := candidates(all, row.Tried, maxRestoredTries)
	for i, c := range try {
		if i > 0 || account.Current == 0 { // the current one was refused just now
			answer, cause := target.Prove(ctx, c.value)
			if answer == Accepted {
				return r.adopt(ctx, row, account, c, have, ev)
			}
			if answer == NoAnswer {
				return r.unresolved(ctx, row, false, "the system refuses the stored value, and then did not answer: "+reason(cause), cure(cause, "bring it back, then check the account again"), ev)
			}
		}
		row.Tried = slices.DeleteFunc(row.Tried, func(t Tried) bool { return t.Print == c.print })
		row.Tried = append(row.Tried, Tried{c.what, c.print})
	}
	return r.denied(ctx, row, len(try), left, have, ev)
}

// rank is the order in which values are tried.
func (c candidate) rank(account Account) int {
	switch {
	case c.version > 0 && c.version == account.Current:
		return 0
	case c.version > account.Current: // pending: it may have been sent when the backup was made
		return 1
	case c.version == 0:
		return 2
	default:
		return 3
	}
}

func (r *Reconciler) denied(ctx context.Context, row RestoredAccount, tried, left int, have copies, ev audit.Event) error {
	why := "the system refuses every value that is known: "
	if tried == 0 {
		why = "no value is known: it is not in the vault, and no mapped key could be read"
	}
	var words []string
	for _, t := range row.Tried {
		words = append(words, t.What)
	}
	why += strings.Join(words, ", ")
	next := "set the account's password on the system and store it with \"keyturn account edit\", then check the account again; with a reconcile account, accept it and reset it afterwards"
	if left > 0 {
		why += fmt.Sprintf("; %d more values were not tried, since failed logins may lock the account out", left)
		next = "check the account again to try them"
	}
	if len(have.unread) > 0 {
		why += "; not read: " + strings.Join(have.unread, ", ")
		next = "bring back what could not be read, then check the account again; or " + next
	}
	return r.unresolved(ctx, row, tried > 0, why, next, ev)
}

func (r *Reconciler) unresolved(ctx context.Context, row RestoredAccount, refused bool, why, next string, ev audit.Event) error {
	row.State, row.Reason, row.Cure = RestoredUnresolved, why, next
	return r.Store.SettleRestored(ctx, row, refused, ev.Failed(why))
}

// adopt makes a value that logged in the current one.
func (r *Reconciler) adopt(ctx context.Context, row RestoredAccount, account Account, c candidate, have copies, ev audit.Event) error {
	last, err := r.Store.LastVersion(ctx, account.ID)
	if err != nil {
		return err
	}
	adopted := Adopted{Version: last + 1, Print: c.print, Common: vault.MarkOf(r.Vault, c.value).Common}
	if adopted.Sealed, err = r.Vault.Seal(vault.Record{Kind: "version", ID: account.ID, Version: last + 1}, c.value); err != nil {
		return err
	}
	for _, k := range have.keys {
		if k.print == c.print {
			adopted.Holds = append(adopted.Holds, k.mapping)
		}
	}
	row.State, row.Reason, row.Cure = RestoredAdopted, c.what+" logs in, and is the current one now", ""
	ev.Action = "restore.adopt"
	return r.Store.AdoptRestored(ctx, row, adopted, ev.With("version", fmt.Sprint(adopted.Version)).With("from", c.what))
}

// compare is for an account without a system to log in to: it looks only whether its keys agree. What to make of it when
// they do not is for a person to say.
func (r *Reconciler) compare(ctx context.Context, row RestoredAccount, account Account, ev audit.Event) error {
	all, err := r.stored(ctx, account)
	if err != nil {
		return err
	}
	have, err := r.copies(ctx, account.ID)
	if err != nil {
		return err
	}
	var other []string
	for _, k := range have.keys {
		if account.Current == 0 || k.print != all[0].print {
			other = append(other, k.place)
		}
	}
	switch {
	case len(other) > 0:
		row.State, row.Reason = RestoredUndecided, "there is no system to ask, and another value than the stored one stands in "+strings.Join(other, ", ")
		row.Cure = "if that one is right, store it with \"keyturn account edit\" and check the account again; otherwise accept it"
	case len(have.unread) > 0:
		return r.unresolved(ctx, row, false, "there is no system to ask, and not every mapped key could be read: "+strings.Join(have.unread, ", "), "bring back what could not be read, then check the account again", ev)
	case len(have.keys) == 0:
		return r.unresolved(ctx, row, false, "there is no system to ask, and no mapped key to compare with", "compare the value with where it is used, and accept it", ev)
	default:
		row.State, row.Reason, row.Cure = RestoredAgrees, "", ""
	}
	return r.Store.SettleRestored(ctx, row, false, ev.With("state", string(row.State)))
}

// stored returns the values of an account that the vault has, the current one first.
func (r *Reconciler) stored(ctx context.Context, account Account) ([]candidate, error) {
	versions, err := r.Store.StoredVersions(ctx, account.ID)
	if err != nil {
		return nil, err
	}
	var out []candidate
	for _, v := range versions {
		sealed, err := r.Store.Sealed(ctx, account.ID, v.Number)
		if err != nil {
			return nil, err
		}
		value, err := r.Vault.Open(vault.Record{Kind: "version", ID: account.ID, Version: v.Number}, sealed)
		if err != nil {
			return nil, err
		}
		out = append(out, candidate{what: fmt.Sprintf("version %d (%s)", v.Number, v.Stage), value: value, print: r.Vault.Fingerprint(value), version: v.Number})
	}
	slices.SortStableFunc(out, func(a, b candidate) int { return cmp.Compare(a.rank(account), b.rank(account)) })
	return out, nil
}

// copies reads what stands at the places of an account's mappings.
func (r *Reconciler) copies(ctx context.Context, accountID string) (out copies, err error) {
	writes, err := r.Store.Writes(ctx, Run{AccountID: accountID})
	if err != nil {
		return out, err
	}
	for _, p := range places(writes) {
		c, err := r.Clusters.Open(ctx, p.cluster)
		var seen map[string]Seen
		if err == nil {
			seen, err = c.Read(ctx, p.namespace, []string{p.name})
		}
		for _, w := range p.writes {
			where := w.Namespace + "/" + w.Name + " key " + w.Key + " of cluster " + w.ClusterName
			value, why := w.standing(seen, err)
			if why != "" {
				out.unread = append(out.unread, where+" ("+why+")")
				continue
			}
			out.keys = append(out.keys, standing{w.MappingID, where, value, r.Vault.Fingerprint(value)})
		}
	}
	return out, nil
}

// standing returns the credential at the write's place, or why it cannot be told.
func (w *Write) standing(seen map[string]Seen, err error) (vault.Value, string) {
	s, there := seen[w.Name]
	have, has := s.Data[w.Key]
	switch {
	case err != nil:
		return vault.Value{}, reason(err)
	case !there:
		return vault.Value{}, "the Secret is not there any more"
	case w.UID != "" && w.UID != s.UID:
		return vault.Value{}, "the Secret was deleted and made anew since it was mapped"
	case !has || have.Len() == 0:
		return vault.Value{}, "the key is gone or empty"
	case w.Place.IsWhole():
		return have, ""
	}
	part, err := composite.Find(w.Place, have)
	if err != nil {
		return vault.Value{}, reason(err)
	}
	if part.Hashed {
		return vault.Value{}, "only a hash stands there"
	}
	return part.Password, ""
}
