package store

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// mostNeeds bounds what an overview names; all of it is counted.
const mostNeeds = 20

// Overview is what one viewer may know of all there is: counts by state, and what waits for a person.
type Overview struct {
	Clusters, Secrets, Accounts, Mappings, Runs map[string]int64 // never nil; removed clusters are left out
	Needs                                       []Need           // oldest first, at most 20
	NeedsTotal                                  int64
	LastProof                                   time.Time // the last login that worked with a stored value; zero: never
	Due                                         Due
}

// Due sums up what is to be changed when.
type Due struct {
	Overdue, Day int64 // older than allowed; due within 24 hours
	// Next is the account that is due first; its ID is empty when none is.
	Next struct {
		ID, Name, ResourceName string
		At                     time.Time
	}
}

// Need is one thing that waits for a person.
type Need struct {
	Kind string // cluster, account, mapping or run
	ID   string
	Name string // with that of its resource; of a mapping "namespace/secret/key"
	// State and Reason are its own.
	State, Reason string
	// Since is when it began, as closely as that is known: of an account its last proof, of a mapping the last look at it.
	// Zero means never.
	Since time.Time
}

// kindOf is how an overview looks at one kind of object; in its SQL the object's row is x.
type kindOf struct {
	word, table string
	sees        string   // one of the conditions of Viewer.visible
	always      string   // what is never counted; may be empty
	needs       []string // the states that wait for a person
	name, since string   // expressions of a Need
	joins       string   // what name needs beside x
}

var kinds = []kindOf{
	{word: "cluster", table: `clusters`, sees: seesCluster, always: `x.state <> 'removed'`,
		needs: []string{"degraded", "unreachable", "untrusted", "unauthorised"}, name: `x.name`, since: `x.since`},
	{word: "secret", table: `secrets`, sees: seesAccount},
	{word: "account", table: `accounts`, sees: seesAccount, needs: []string{"out_of_sync", "locked_out"},
		name: `r.name || '/' || x.name`, since: `x.verified_at`, joins: `JOIN resources r ON r.id = x.resource_id`},
	{word: "mapping", table: `mappings`, sees: seesAccountOf, needs: []string{"drift", "conflict", "behind", "blocked", "hands_off"},
		name: `s.namespace || '/' || s.name || '/' || x.key_name`, since: `x.checked_at`, joins: `JOIN secrets s ON s.id = x.secret_id`},
	{word: "run", table: `runs`, sees: seesAccountOf, needs: []string{"needs_attention"},
		name: `r.name || '/' || a.name`, since: `x.updated_at`, joins: `JOIN accounts a ON a.id = x.account_id JOIN resources r ON r.id = a.resource_id`},
}

// Overview returns what v may know of. Its parts are read one after the other, so that they may differ by what was
// committed meanwhile.
func (s *Store) Overview(ctx context.Context, v Viewer) (Overview, error) {
	var o Overview
	into := map[string]*map[string]int64{"cluster": &o.Clusters, "secret": &o.Secrets, "account": &o.Accounts, "mapping": &o.Mappings, "run": &o.Runs}
	for _, k := range kinds {
		counts, err := s.countStates(ctx, v, k)
		if err != nil {
			return Overview{}, fmt.Errorf("overview of %s: %w", k.table, err)
		}
		*into[k.word] = counts
		for state, n := range counts {
			if slices.Contains(k.needs, state) {
				o.NeedsTotal += n
			}
		}
	}
	if o.NeedsTotal > 0 {
		var err error
		if o.Needs, err = s.needs(ctx, v); err != nil {
			return Overview{}, fmt.Errorf("overview: %w", err)
		}
	}
	where := v.clause()
	v.visible(where, seesAccount)
	last, err := queryOne(ctx, s.read(ctx), "proof", scanInt, v.with()+`SELECT COALESCE(MAX(x.verified_at), 0) FROM accounts x`+where.String(), where.args...)
	if err != nil {
		return Overview{}, fmt.Errorf("overview: %w", err)
	}
	o.LastProof = instant(last)
	if o.Due, err = s.due(ctx, v, time.Now()); err != nil {
		return Overview{}, fmt.Errorf("overview of the schedule: %w", err)
	}
	return o, nil
}

// due sums up the schedule of the accounts that v may know of. What is overdue is counted as that alone.
func (s *Store) due(ctx context.Context, v Viewer, now time.Time) (Due, error) {
	where := v.clause()
	v.visible(where, seesAccount)
	overdue := `x.overdue_at > 0 AND x.overdue_at <= ` + where.arg(micro(now))
	where.and(`(x.next_at > 0 OR ` + overdue + `)`)
	all := where.copy()
	soon := `x.next_at > 0 AND x.next_at <= ` + all.arg(micro(now.Add(24*time.Hour)))
	d, err := queryOne(ctx, s.read(ctx), "count", func(r scanner) (d Due, err error) { return d, r.Scan(&d.Overdue, &d.Day) },
		v.with()+`SELECT COALESCE(SUM(CASE WHEN `+overdue+` THEN 1 ELSE 0 END), 0),
			COALESCE(SUM(CASE WHEN NOT (`+overdue+`) AND `+soon+` THEN 1 ELSE 0 END), 0)
			FROM accounts x`+all.String(), all.args...)
	if err != nil {
		return d, err
	}
	where.and(`NOT (` + overdue + `)`)
	rows, err := queryAll(ctx, s.read(ctx), func(r scanner) (x Due, err error) {
		var at int64
		err = r.Scan(&x.Next.ID, &x.Next.Name, &x.Next.ResourceName, &at)
		x.Next.At = instant(at)
		return x, err
	}, v.with()+`SELECT x.id, x.name, r.name, x.next_at FROM accounts x JOIN resources r ON r.id = x.resource_id`+where.String()+` ORDER BY x.next_at, x.id LIMIT 1`, where.args...)
	if len(rows) > 0 {
		d.Next = rows[0].Next
	}
	return d, err
}

func (s *Store) countStates(ctx context.Context, v Viewer, k kindOf) (map[string]int64, error) {
	where := v.clause()
	v.visible(where, k.sees)
	if k.always != "" {
		where.and(k.always)
	}
	return listing[Need]{with: v.with(), table: k.table, state: `x.state`}.counts(ctx, s.read(ctx), where)
}

// needs returns what waits for a person, the oldest first.
func (s *Store) needs(ctx context.Context, v Viewer) ([]Need, error) {
	c := v.clause()
	text := ""
	for _, k := range kinds {
		if len(k.needs) == 0 {
			continue
		}
		where := &clause{args: c.args}
		v.visible(where, k.sees)
		where.oneOf(`x.state`, k.needs)
		c.args = where.args
		if text != "" {
			text += ` UNION ALL `
		}
		text += fmt.Sprintf(`SELECT '%s' AS kind, x.id AS id, %s AS name, x.state AS state, x.reason AS reason, %s AS since FROM %s x %s%s`,
			k.word, k.name, k.since, k.table, k.joins, where)
	}
	text = v.with() + `SELECT kind, id, name, state, reason, since FROM (` + text + `) n ORDER BY since, id LIMIT ` + c.arg(mostNeeds)
	return queryAll(ctx, s.read(ctx), func(r scanner) (n Need, err error) {
		var since int64
		err = r.Scan(&n.Kind, &n.ID, &n.Name, &n.State, &n.Reason, &since)
		n.Since = instant(since)
		return n, err
	}, text, c.args...)
}

// AuditEvent returns one event. It fails with fault.NotFound.
func (s *Store) AuditEvent(ctx context.Context, id string) (AuditEntry, error) {
	return queryOne(ctx, s.read(ctx), "audit event", scanEntry, `SELECT COALESCE(seq, -1), body FROM audit_events WHERE id = $1`, indexed(id))
}
