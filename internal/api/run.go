package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
)

// Runs knows how far runs are, and starts them.
type Runs interface {
	Run(ctx context.Context, id string) (rotation.Run, error)
	Runs(ctx context.Context, v store.Viewer, q store.RunQuery) (store.Page[store.RunRow], error)
	// Writes returns the mapped keys of the run's account, with what the run has stored of each.
	Writes(ctx context.Context, run rotation.Run) ([]rotation.Write, error)
	// Waves returns which wave each of a run's clusters belongs to; empty if there is one only.
	Waves(ctx context.Context, run rotation.Run) (map[string]int, error)
	// Replacements returns the immutable Secrets that the run puts others in the place of.
	Replacements(ctx context.Context, run rotation.Run) ([]rotation.Replacement, error)
	// RunRollouts returns the workloads that a run restarts, and what of them could not be seen.
	RunRollouts(ctx context.Context, runID string) ([]store.RolloutRow, []store.CensusNote, error)
	// AuditEvents returns events, newest first.
	AuditEvents(ctx context.Context, filter store.AuditFilter) ([]store.AuditEntry, error)
	Resets
}

// Resets starts runs and proves stored values.
type Resets interface {
	Start(ctx context.Context, actor identity.Actor, r rotation.Reset) (rotation.Run, error)
	Resume(ctx context.Context, actor identity.Actor, runID string) (rotation.Run, error)
	// RollBack and Cancel fail with fault.Conflict as rotation.CanRollBack and rotation.CanCancel do.
	RollBack(ctx context.Context, actor identity.Actor, runID string) (rotation.Run, error)
	Cancel(ctx context.Context, actor identity.Actor, runID string) (rotation.Run, error)
	Verify(ctx context.Context, actor identity.Actor, accountID string) (rotation.Checked, error)
}

type runsIn struct {
	client.RunFilter
	Query
}

func (s *Server) runOps() {
	ofRun := of[RunRef](s.runObject)
	op(s, operation[runsIn]{Method: http.MethodGet, Path: "/runs", Op: policy.RunList, Summary: "Runs, newest first"}, s.runs)
	op(s, operation[RunRef]{Method: http.MethodGet, Path: "/runs/{run}", Op: policy.RunGet, Summary: "One run with its steps and writes", Object: ofRun},
		func(ctx context.Context, c call, in *RunRef) (*answer[client.Run], error) {
			return s.run(ctx, c, in.Run)
		})
	op(s, operation[RunRef]{Method: http.MethodPost, Path: "/runs/{run}/resume", Op: policy.RunResume, Status: http.StatusAccepted,
		Summary: "Let a run that waits or needs attention go on", Object: ofRun},
		func(ctx context.Context, c call, in *RunRef) (*answer[client.Run], error) {
			if _, err := s.Runs.Resume(ctx, c.Actor, in.Run); err != nil {
				return nil, err
			}
			return s.run(ctx, c, in.Run)
		})
}

func (s *Server) runEndOps() {
	ofRun := of[RunRef](s.runObject)
	op(s, operation[RunRef]{Method: http.MethodPost, Path: "/runs/{run}/rollback", Op: policy.RunRollBack, Status: http.StatusAccepted,
		Summary: "End a run that is stopped on its way, and start one that sets the value before it again", Object: ofRun},
		func(ctx context.Context, c call, in *RunRef) (*answer[client.Run], error) {
			back, err := s.Runs.RollBack(ctx, c.Actor, in.Run)
			if err != nil {
				return nil, err
			}
			return s.run(ctx, c, back.ID)
		})
	op(s, operation[RunRef]{Method: http.MethodPost, Path: "/runs/{run}/cancel", Op: policy.RunCancel,
		Summary: "Give up a run that has sent nothing to its system yet", Object: ofRun},
		func(ctx context.Context, c call, in *RunRef) (*answer[client.Run], error) {
			if _, err := s.Runs.Cancel(ctx, c.Actor, in.Run); err != nil {
				return nil, err
			}
			return s.run(ctx, c, in.Run)
		})
}

// runObject finds the account of a run, on which what concerns the run is decided.
func (s *Server) runObject(ctx context.Context, id string) (policy.Object, string, error) {
	run, err := s.Runs.Run(ctx, id)
	if err != nil {
		return about("run", id, "", "", err)
	}
	return s.accountObject(ctx, run.AccountID)
}

func (s *Server) runs(ctx context.Context, c call, in *runsIn) (*list[client.Page[client.Run]], error) {
	p, err := s.Runs.Runs(ctx, viewer(c), store.RunQuery{ListQuery: listQuery(in.ListOptions), AccountID: in.Account, State: in.words("state")})
	if err != nil {
		return nil, err
	}
	return pageOf(p, nil, func(row store.RunRow) client.Run { return runOf(c.Actor, row) }), nil
}

func (s *Server) run(ctx context.Context, c call, id string) (*answer[client.Run], error) {
	row, err := only(s.Runs.Runs(ctx, viewer(c), store.RunQuery{ID: id}))
	if err != nil {
		return nil, err
	}
	out := runOf(c.Actor, row)
	proofs, err := s.proofs(ctx, row.Run)
	if err != nil {
		return nil, err
	}
	if out.Writes, err = s.writes(ctx, row.Run); err != nil {
		return nil, err
	}
	if err := s.rollouts(ctx, &out); err != nil {
		return nil, err
	}
	out.Steps = stepsOf(row.Run, proofs, len(out.Rollouts))
	versions, err := s.Objects.Versions(ctx, row.AccountID)
	if err != nil {
		return nil, err
	}
	replaced, err := s.Runs.Replacements(ctx, row.Run)
	if err != nil {
		return nil, err
	}
	out.Facts, out.Replacements = factsOf(row, versions, out.Rollouts), replacementsOf(row.Run, replaced, out)
	return &answer[client.Run]{ETag: etag(out.Rev), Body: out}, nil
}

// proofs returns the audit event of each step that the run has stored, the last one where a step was stored twice.
func (s *Server) proofs(ctx context.Context, run rotation.Run) (map[rotation.Step]store.AuditEntry, error) {
	by := map[rotation.Step]store.AuditEntry{}
	for _, step := range rotation.Steps()[1:] {
		// One question for each step: a run also records each of its keys, of which there may be thousands.
		last, err := s.Runs.AuditEvents(ctx, store.AuditFilter{Run: run.ID, Action: "run." + string(step), Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(last) > 0 {
			by[step] = last[0]
		}
		if step == run.Step {
			break
		}
	}
	return by, nil
}

func (s *Server) writes(ctx context.Context, run rotation.Run) ([]client.RunWrite, error) {
	all, err := s.Runs.Writes(ctx, run)
	if err != nil {
		return nil, err
	}
	waves, err := s.Runs.Waves(ctx, run)
	if err != nil {
		return nil, err
	}
	out := make([]client.RunWrite, 0, len(all))
	for _, w := range all {
		if run.State.Ended() && w.State == rotation.WriteToDo {
			continue // mapped after the run
		}
		out = append(out, client.RunWrite{
			MappingID: w.MappingID, ClusterID: w.ClusterID, Cluster: w.ClusterName, Wave: waves[w.ClusterID], SecretID: w.SecretID, Namespace: w.Namespace, Secret: w.Name,
			Key: w.Key, State: string(w.State), Reason: sentence(w.Reason), Cure: sentence(w.Cure), Taken: w.Taken, At: orNil(w.At),
		})
	}
	return out, nil
}

// rollouts fills in the workloads of a run.
func (s *Server) rollouts(ctx context.Context, run *client.Run) error {
	all, unseen, err := s.Runs.RunRollouts(ctx, run.ID)
	if err != nil {
		return err
	}
	for _, r := range all {
		run.Rollouts = append(run.Rollouts, client.RunRollout{
			ClusterID: r.ClusterID, Cluster: r.ClusterName, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name, UID: r.UID, State: string(r.State),
			Wanted: r.Wanted, New: r.New, Ready: r.Ready, Old: r.Old, Reason: sentence(r.Reason), Cure: sentence(r.Cure), At: orNil(r.At),
		})
	}
	for _, u := range unseen {
		run.Unseen = append(run.Unseen, sentence(u.ClusterName+": "+u.Note))
	}
	return nil
}

func runOf(actor identity.Actor, row store.RunRow) client.Run {
	can := canOf(actor, policy.Object{Kind: access.Account, ID: row.AccountID, Level: row.Level}, map[string]policy.Operation{"resume": policy.RunResume, "rollback": policy.RunRollBack, "cancel": policy.RunCancel})
	if row.State != rotation.Waiting && row.State != rotation.NeedsAttention {
		notNow(can, "The run neither waits nor needs attention", "resume")
	}
	for what, err := range map[string]error{"rollback": rotation.CanRollBack(row.Run), "cancel": rotation.CanCancel(row.Run)} {
		if f, ok := errors.AsType[*fault.Error](err); ok {
			notNow(can, sentence(f.Msg), what)
		}
	}
	out := client.Run{
		ID: row.ID, AccountID: row.AccountID, AccountName: row.AccountName, ResourceID: row.ResourceID, ResourceName: row.ResourceName,
		State: string(row.State), Strategy: string(row.Strategy), Login: loginOf(row), Step: string(row.Step), New: row.New, Old: row.Old, Proved: row.Run.Proved, Typed: row.Typed,
		Reason: sentence(row.Reason), Cure: sentence(row.Cure), Tries: row.Tries, Wave: row.Wave, Waves: row.Waves, Keys: row.Writes, KeysProved: row.Proved,
		Reverts: row.Reverts, Plan: row.Plan, Actor: row.StartedBy.Name, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt, EndedAt: orNil(row.EndedAt), Rev: row.UpdatedAt.UnixMicro(), Can: can,
	}
	if row.State == rotation.Waiting {
		out.NextTryAt = orNil(row.NotBefore)
	}
	return out
}

// loginOf is the login of a pair that a run changes; empty for any other run.
func loginOf(row store.RunRow) string {
	if row.Strategy != rotation.Alternating {
		return ""
	}
	return cmp.Or(row.Login, row.AccountName)
}

// stepsOf says what became of each step, from what is stored of the run, the events of its steps and how many workloads
// it had to restart.
func stepsOf(run rotation.Run, proofs map[rotation.Step]store.AuditEntry, workloads int) []client.RunStep {
	all := rotation.Steps()
	done := slices.Index(all, run.Step)
	steps := make([]client.RunStep, len(all))
	for i, step := range all {
		proof, note := proofs[step], proofs[step].Details["note"]
		x := client.RunStep{Name: string(step)}
		switch {
		case step == rotation.Planned:
			x.State, x.At = string(rotation.StepDone), orNil(run.CreatedAt)
		case i <= done:
			x.State, x.At, x.Note = string(passed(run, step, workloads)), orNil(proof.At), sentence(note)
		case i == done+1:
			x.State, x.Note = string(nextState(run, step)), sentence(run.Reason)
		case run.State.Ended():
			x.State = string(rotation.StepSkipped)
		default:
			x.State = string(rotation.StepToDo)
		}
		steps[i] = x
	}
	return steps
}

// passed says whether a step that is behind the run did something. Where there was nothing to log in to, nothing was
// applied, proved or refused.
func passed(run rotation.Run, step rotation.Step, workloads int) rotation.StepState {
	judged := slices.Index(rotation.Steps(), run.Step) >= slices.Index(rotation.Steps(), rotation.Verified)
	skipped := false
	switch step {
	case rotation.Applied, rotation.Verified:
		skipped = judged && !run.Proved
	case rotation.RolledOut:
		skipped = workloads == 0
	case rotation.RetiredOld:
		skipped = !run.Proved || run.Old == 0 && run.Strategy != rotation.Alternating
	}
	if skipped {
		return rotation.StepSkipped
	}
	return rotation.StepDone
}

// nextState says how the step is doing that follows the last one that is done.
func nextState(run rotation.Run, step rotation.Step) rotation.StepState {
	begun := run.Begun == step
	asks := step == rotation.Applied || step == rotation.Verified || step == rotation.RetiredOld // its effect is known by a login only
	switch run.State {
	case rotation.RolledBack:
		return rotation.StepFailed
	case rotation.Cancelled:
		return rotation.StepSkipped
	case rotation.NeedsAttention:
		if begun && asks && (step == rotation.Applied || run.Tries > 0) {
			return rotation.StepUnverified
		}
		return rotation.StepFailed
	case rotation.Waiting:
		if begun && asks {
			return rotation.StepUnverified
		}
		return rotation.StepToDo
	case rotation.Running:
		return rotation.StepRunning
	}
	return rotation.StepToDo
}
