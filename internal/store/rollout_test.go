package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
)

func TestRolloutsOfARun(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := mapped(t, s, 2)
		r := newRun(a)
		must(t, s.OpenRun(ctx, r, "", nil, happened("account.reset")))
		run, err := s.Claim(ctx, r.ID, "w1", time.Minute)
		must(t, err)
		writes, err := s.Writes(ctx, run)
		must(t, err)
		cluster := writes[0].ClusterID
		at := time.UnixMicro(1_700_000_000_000_000).UTC()
		rollout := func(name string, st rotation.RolloutState) rotation.Rollout {
			return rotation.Rollout{Workload: rotation.Workload{ClusterID: cluster, Kind: "Deployment", Namespace: "shop", Name: name, UID: name + "-uid"},
				State: st, Wanted: 3, Old: 3, Reason: "because", Cure: "do", At: at}
		}
		asks, rolling, done := rollout("asks", rotation.RolloutAsks), rollout("rolling", rotation.RolloutToDo), rollout("done", rotation.RolloutToDo)

		must(t, s.SaveCensus(ctx, run, cluster, "pods were not seen", []rotation.Rollout{rolling, asks, done}, happened("run.census")))
		rolling.State, rolling.New, rolling.Ready, rolling.Old = rotation.RolloutStuck, 2, 1, 1
		done.State, done.New, done.Ready, done.Old, done.Reason, done.Cure = rotation.RolloutDone, 3, 3, 0, "", ""
		must(t, s.SaveRollouts(ctx, run, []rotation.Rollout{rolling, done}, []audit.Event{happened("workload.restart"), happened("workload.restart")}))

		clusters, all, err := s.Rollouts(ctx, run)
		must(t, err)
		if diff := cmp.Diff([]rotation.Rollout{asks, done, rolling}, all); diff != "" || len(clusters) != 1 || clusters[0] != cluster {
			t.Errorf("clusters %v, rollouts (-want +got):\n%s", clusters, diff)
		}
		rows, unseen, err := s.RunRollouts(ctx, run.ID)
		must(t, err)
		if len(rows) != 3 || rows[0].ClusterName != "c" || len(unseen) != 1 || unseen[0] != (store.CensusNote{ClusterName: "c", Note: "pods were not seen"}) {
			t.Errorf("read: %+v, %+v", rows, unseen)
		}

		lost := run
		lost.Fence--
		for name, err := range map[string]error{
			"census":   s.SaveCensus(ctx, lost, "another", "", nil, happened("run.census")),
			"rollouts": s.SaveRollouts(ctx, lost, []rotation.Rollout{asks}, nil),
		} {
			if fault.KindOf(err) != fault.Stale {
				t.Errorf("%s with a lost lease: %v", name, err)
			}
		}

		t.Run("resumed", func(t *testing.T) {
			run.State, run.Step, run.Begun, run.Reason = rotation.NeedsAttention, rotation.Published, rotation.RolledOut, "stuck"
			must(t, s.Advance(ctx, run, happened("run.needs_attention")), s.Requeue(ctx, run.ID, happened("run.resume")))
			_, all, err := s.Rollouts(ctx, run)
			must(t, err)
			for i, want := range []rotation.RolloutState{rotation.RolloutToDo, rotation.RolloutDone, rotation.RolloutToDo} {
				if all[i].State != want || all[i].Reason != "" {
					t.Errorf("%s is %s (%s), should be %s", all[i].Name, all[i].State, all[i].Reason, want)
				}
			}
		})
	})
}

func TestWhatIsDoneOnAWriteIsStored(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := mapped(t, s, 1)
		r := newRun(a)
		must(t, s.OpenRun(ctx, r, "", nil, happened("account.reset")))
		writes, err := s.Writes(ctx, r)
		must(t, err)
		if writes[0].OnWrite != rotation.OnWriteRestart {
			t.Errorf("a mapping that says nothing else is %q", writes[0].OnWrite)
		}
		m, err := s.Mapping(ctx, writes[0].MappingID)
		must(t, err)
		must(t, s.SetOnWrite(ctx, m.ID, m.Rev, "ask", happened("mapping.update")))
		if err := s.SetOnWrite(ctx, m.ID, m.Rev, "nothing", happened("mapping.update")); fault.KindOf(err) != fault.Stale {
			t.Errorf("with an old revision: %v", err)
		}
		writes, err = s.Writes(ctx, r)
		must(t, err)
		if writes[0].OnWrite != rotation.OnWriteAsk {
			t.Errorf("it is %q", writes[0].OnWrite)
		}
	})
}
