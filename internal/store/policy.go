package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/rotation"
)

var _ rotation.PolicyStore = (*Store)(nil)

const policyColumns = `id, name, description, password, history, rules, created_at, rev`

func scanPolicy(r scanner) (p rotation.Policy, err error) {
	var rules string
	var created int64
	if err := r.Scan(&p.ID, &p.Name, &p.Description, &p.Password, &p.History, &rules, &created, &p.Rev); err != nil {
		return p, err
	}
	p.CreatedAt = instant(created)
	return p, json.Unmarshal([]byte(rules), &p.Rules)
}

func scanAssignment(r scanner) (a rotation.Assignment, err error) {
	var created int64
	err = r.Scan(&a.ID, &a.PolicyID, &a.By, &a.Pattern, &created)
	a.CreatedAt = instant(created)
	return a, err
}

// Policies returns every policy with its assignments, by name. The answer is shared and must not be changed.
func (s *Store) Policies(ctx context.Context) ([]rotation.Policy, error) {
	type allPolicies struct{}
	return remembered(s, allPolicies{}, always, func() ([]rotation.Policy, error) { return policies(ctx, s.read(ctx)) })
}

func policies(ctx context.Context, on queryer) ([]rotation.Policy, error) {
	all, err := queryAll(ctx, on, scanPolicy, `SELECT `+policyColumns+` FROM policies ORDER BY name`)
	if err != nil {
		return nil, err
	}
	assigned, err := queryAll(ctx, on, scanAssignment, `SELECT id, policy_id, named_by, pattern, created_at FROM policy_assignments ORDER BY named_by, pattern`)
	at := make(map[string]int, len(all))
	for i, p := range all {
		at[p.ID] = i
	}
	for _, a := range assigned {
		if i, ok := at[a.PolicyID]; ok { // it may have been made since
			all[i].Assignments = append(all[i].Assignments, a)
		}
	}
	return all, err
}

// AddPolicy implements rotation.PolicyStore.
func (s *Store) AddPolicy(ctx context.Context, p rotation.Policy, ev audit.Event) error {
	return s.changePolicies(ctx, p.ID, 1, ev, func(tx *Tx) error {
		rules, err := json.Marshal(p.Rules)
		if err != nil {
			return err
		}
		n, err := exec(ctx, tx, `INSERT INTO policies (`+policyColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,1) ON CONFLICT DO NOTHING`,
			p.ID, p.Name, p.Description, p.Password, p.History, string(rules), micro(p.CreatedAt))
		if err == nil && n == 0 {
			err = takenPolicy()
		}
		return err
	})
}

// UpdatePolicy implements rotation.PolicyStore.
func (s *Store) UpdatePolicy(ctx context.Context, p rotation.Policy, rev int64, ev audit.Event) error {
	return s.changePolicies(ctx, p.ID, rev+1, ev, func(tx *Tx) error {
		rules, err := json.Marshal(p.Rules)
		if err != nil {
			return err
		}
		others, err := queryAll(ctx, tx, scanText, `SELECT id FROM policies WHERE name = $1 AND id <> $2`, p.Name, p.ID)
		if err == nil && len(others) > 0 {
			err = takenPolicy()
		}
		if err != nil {
			return err
		}
		return execOne(ctx, tx, stale("policy"), `UPDATE policies SET name = $3, description = $4, password = $5, history = $6, rules = $7, rev = rev + 1
			WHERE id = $1 AND rev = $2`, p.ID, rev, p.Name, p.Description, p.Password, p.History, string(rules))
	})
}

func takenPolicy() error {
	return fault.New(fault.Conflict, "another policy has that name").WithField("name").WithCure("choose another name").WithUnchanged("nothing was changed")
}

// DeletePolicy implements rotation.PolicyStore.
func (s *Store) DeletePolicy(ctx context.Context, id string, rev int64, ev audit.Event) error {
	return s.changePolicies(ctx, id, rev+1, ev, func(tx *Tx) error {
		if _, err := exec(ctx, tx, `DELETE FROM policy_assignments WHERE policy_id = $1`, id); err != nil {
			return err
		}
		return execOne(ctx, tx, stale("policy"), `DELETE FROM policies WHERE id = $1 AND rev = $2`, id, rev)
	})
}

// Assign implements rotation.PolicyStore.
func (s *Store) Assign(ctx context.Context, a rotation.Assignment, ev audit.Event) error {
	return s.changePolicies(ctx, a.PolicyID, 0, ev, func(tx *Tx) error {
		there, err := queryAll(ctx, tx, scanInt, `SELECT rev FROM policies WHERE id = $1`, a.PolicyID)
		if err == nil && len(there) == 0 {
			err = fault.New(fault.NotFound, "there is no such policy")
		}
		if err != nil {
			return err
		}
		_, err = exec(ctx, tx, `INSERT INTO policy_assignments (id, policy_id, named_by, pattern, created_at) VALUES ($1,$2,$3,$4,$5)
			ON CONFLICT (named_by, pattern) DO UPDATE SET id = excluded.id, policy_id = excluded.policy_id, created_at = excluded.created_at`,
			a.ID, a.PolicyID, string(a.By), a.Pattern, micro(a.CreatedAt))
		return err
	})
}

// Unassign implements rotation.PolicyStore.
func (s *Store) Unassign(ctx context.Context, policyID, id string, ev audit.Event) error {
	return s.changePolicies(ctx, policyID, 0, ev, func(tx *Tx) error {
		return execOne(ctx, tx, fault.New(fault.NotFound, "the policy has no such assignment"),
			`DELETE FROM policy_assignments WHERE id = $1 AND policy_id = $2`, id, policyID)
	})
}

// changePolicies carries out a change of policies: what follows from them for the accounts has to be worked out anew.
func (s *Store) changePolicies(ctx context.Context, id string, rev int64, ev audit.Event, change func(*Tx) error) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `UPDATE accounts SET planned = 0 WHERE planned = 1`); err != nil {
			return err
		}
		tx.Changed("policy", id, rev, "")
		return record(ctx, tx, ev)
	})
}

// AssignmentNames returns the names of the accounts, as resource/account, and resources that assignments name, by the
// assignment's id, as far as v may know of them.
func (s *Store) AssignmentNames(ctx context.Context, v Viewer) (map[string]string, error) {
	names := map[string]string{}
	for _, kind := range []struct{ by, table, name, joins, sees string }{
		{"account", `accounts`, `r.name || '/' || x.name`, `JOIN resources r ON r.id = x.resource_id`, seesAccount},
		{"resource", `resources`, `x.name`, ``, seesResource},
	} {
		where := v.clause()
		v.visible(where, kind.sees)
		type row struct{ id, name string }
		rows, err := queryAll(ctx, s.read(ctx), func(r scanner) (x row, err error) { return x, r.Scan(&x.id, &x.name) },
			v.with()+`SELECT pa.id, `+kind.name+` FROM policy_assignments pa JOIN `+kind.table+` x ON pa.named_by = '`+kind.by+`' AND x.id = pa.pattern `+kind.joins+where.String(), where.args...)
		if err != nil {
			return nil, err
		}
		for _, x := range rows {
			names[x.id] = x.name
		}
	}
	return names, nil
}

// Followers sums up the accounts that follow one policy.
type Followers struct {
	Accounts, Overdue int64
	NextAt            time.Time // when the first of them is due; zero: never
}

// Followers returns the accounts that v may know of by the id of the policy that they follow.
func (s *Store) Followers(ctx context.Context, v Viewer) (map[string]Followers, error) {
	where := v.clause()
	v.visible(where, seesAccount)
	now := where.arg(micro(time.Now()))
	type row struct {
		policy string
		Followers
	}
	rows, err := queryAll(ctx, s.read(ctx), func(r scanner) (x row, err error) {
		var next int64
		err = r.Scan(&x.policy, &x.Accounts, &x.Overdue, &next)
		x.NextAt = instant(next)
		return x, err
	}, v.with()+`SELECT x.policy_id, COUNT(*), COALESCE(SUM(CASE WHEN x.overdue_at > 0 AND x.overdue_at <= `+now+` THEN 1 ELSE 0 END), 0),
		COALESCE(MIN(CASE WHEN x.next_at > 0 THEN x.next_at END), 0) FROM accounts x`+where.String()+` GROUP BY 1`, where.args...)
	out := make(map[string]Followers, len(rows))
	for _, x := range rows {
		out[x.policy] = x.Followers
	}
	return out, err
}
