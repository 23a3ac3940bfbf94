package store

import (
	"context"

	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/rotation"
)

// RunQuery chooses runs. Empty fields choose everything. Sort is created, updated or state.
type RunQuery struct {
	ListQuery
	ID        string
	AccountID string
	State     []string
}

// RunRow is a run with the names of what it turns. What is prepared for the target is left out.
type RunRow struct {
	rotation.Run
	AccountName              string
	ResourceID, ResourceName string
	Writes                   int64        // mapped keys
	Proved                   int64        // of them, read back with the new value
	Level                    policy.Level // on the account
}

// Runs returns one page of the runs of accounts that v may know of, newest first unless q says otherwise.
func (s *Store) Runs(ctx context.Context, v Viewer, q RunQuery) (Page[RunRow], error) {
	where := v.clause()
	v.visible(where, seesAccountOf)
	where.equal(`x.id`, q.ID)
	where.equal(`x.account_id`, q.AccountID)
	if q.Search != "" {
		where.and(`x.account_id IN (SELECT id FROM accounts WHERE ` + like(`name`, where.pattern(q.Search)) + `)`)
	}
	l := listing[RunRow]{
		with: v.with(), table: `runs`, state: `x.state`, usual: "-created",
		sorts: map[string]column{"created": {expr: `x.created_at`, number: true}, "updated": {expr: `x.updated_at`, number: true}, "state": {expr: `x.state`}},
		// An open run writes what is mapped at the time; what an ended one wrote stays as it was.
		columns: ofX(runColumns) + `, a.name, a.resource_id, r.name,
			CASE WHEN x.ended_at = 0 THEN (SELECT COUNT(*) FROM mappings WHERE account_id = x.account_id) ELSE (SELECT COUNT(*) FROM run_writes WHERE run_id = x.id) END,
			(SELECT COUNT(*) FROM run_writes WHERE run_id = x.id AND state = 'in_sync'), ` + v.level(reachesAccountOf),
		joins: `JOIN accounts a ON a.id = x.account_id JOIN resources r ON r.id = a.resource_id`,
		scan: func(r scanner) (row RunRow, err error) {
			row.Run, err = scanRun(wider{row: r, after: []any{&row.AccountName, &row.ResourceID, &row.ResourceName, &row.Writes, &row.Proved, &row.Level}})
			row.Prepared = nil
			return row, err
		},
	}
	return l.page(ctx, s.read(ctx), q.ListQuery, q.State, where)
}
