package rotation

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// lookFor is how long a cluster may take to be looked at for a forecast.
const lookFor = 45 * time.Second

// ForecastStore is what forecasts need from storage.
type ForecastStore interface {
	ResetAccount(ctx context.Context, accountID string) (Account, error)
	Standing(ctx context.Context, accountID string) (Standing, []Policy, error)
	// Writes returns the mapped keys of run.AccountID, with what the run has stored of each; of a run without an ID nothing.
	Writes(ctx context.Context, run Run) ([]Write, error)
	Sealed(ctx context.Context, accountID string, version int64) (vault.Sealed, error)
	// Pace returns how long the steps of earlier runs of the account took, or else of its resource.
	Pace(ctx context.Context, accountID string) (Pace, error)
}

// Forecaster looks at the world and says what a run would do. It may be used by several goroutines at once.
type Forecaster struct {
	Store    ForecastStore
	Vault    Vault
	Resets   *Resets
	Clusters Clusters
}

// Foresee looks at everything that a run of the account would touch, and says what the run would do. It changes nothing. What
// does not answer is told in the forecast, not as an error.
func (f *Forecaster) Foresee(ctx context.Context, accountID string) (Forecast, error) {
	o, err := f.outlook(ctx, accountID)
	if err != nil {
		return Forecast{}, err
	}
	return Foresee(o)
}

// Agreed fails with fault.Conflict and the code plan-changed when the world is not what hash names.
func (f *Forecaster) Agreed(ctx context.Context, accountID, hash string) error {
	if err := CheckPlanHash(hash); err != nil {
		return err
	}
	now, err := f.Foresee(ctx, accountID)
	if err != nil {
		return err
	}
	return now.AgreedTo(hash)
}

// outlook gathers what a forecast is made from.
func (f *Forecaster) outlook(ctx context.Context, accountID string) (Outlook, error) {
	o := Outlook{At: time.Now().UTC(), Probe: vault.NewValue([]byte(rand.Text()))}
	var err error
	if o.Account, err = f.Store.ResetAccount(ctx, accountID); err != nil {
		return o, err
	}
	standing, policies, err := f.Store.Standing(ctx, accountID)
	if err != nil {
		return o, err
	}
	o.Subject, o.OpenRun = standing.Subject, standing.Busy
	o.Policy, o.Because = Select(policies, standing.Subject)
	if o.Strategy, err = f.Resets.strategy(ctx, o.Account); err != nil {
		return o, err
	}
	writes, err := f.Store.Writes(ctx, Run{AccountID: accountID})
	if err != nil {
		return o, err
	}
	o.Writes = o.Account.tell(writes)
	if o.Pace, err = f.Store.Pace(ctx, accountID); err != nil {
		return o, err
	}
	if o.Account.Current > 0 {
		value, err := f.version(ctx, o.Account, o.Account.Current)
		if err != nil {
			return o, err
		}
		o.Value = &value
	}
	o.Remote = true
	if target, err := f.Resets.Targets.Open(ctx, accountID); err == nil {
		o.Remote = target.Remote()
		if o.Home, err = homeOf(target, o.Value); err != nil {
			return o, err
		}
		leadOn(o.Writes, o.Home)
	}
	o.Clusters, err = f.views(ctx, o.Writes)
	return o, err
}

func (f *Forecaster) version(ctx context.Context, account Account, number int64) (vault.Value, error) {
	sealed, err := f.Store.Sealed(ctx, account.ID, number)
	if err != nil {
		return vault.Value{}, err
	}
	return f.Vault.Open(vault.Record{Kind: "version", ID: account.ID, Version: number}, sealed)
}

// views looks at the clusters of writes, all at once.
func (f *Forecaster) views(ctx context.Context, writes []Write) (map[string]ClusterView, error) {
	byCluster := map[string][]Write{}
	for _, w := range writes {
		byCluster[w.ClusterID] = append(byCluster[w.ClusterID], w)
	}
	var mu sync.Mutex
	var work sync.WaitGroup
	out := make(map[string]ClusterView, len(byCluster))
	for id, here := range byCluster {
		work.Go(func() {
			looking, stop := context.WithTimeout(ctx, lookFor)
			defer stop()
			view := f.view(looking, id, here)
			mu.Lock()
			defer mu.Unlock()
			out[id] = view
		})
	}
	work.Wait()
	return out, ctx.Err()
}

// view looks at one cluster: the mapped Secrets, and who reads them.
func (f *Forecaster) view(ctx context.Context, cluster string, writes []Write) ClusterView {
	view := ClusterView{Secrets: map[[2]string]Seen{}}
	names := map[string][]string{}
	var refs [][2]string
	for _, w := range writes {
		if ref := [2]string{w.Namespace, w.Name}; !slices.Contains(refs, ref) {
			refs, names[w.Namespace] = append(refs, ref), append(names[w.Namespace], w.Name)
		}
	}
	c, err := f.Clusters.Open(ctx, cluster)
	if err != nil {
		view.Failed = unanswered(ctx, err)
		return view
	}
	view.MayReplace = c.MayReplace()
	for namespace, some := range names {
		seen, err := c.Read(ctx, namespace, some)
		if err != nil {
			view.Failed = unanswered(ctx, err)
			return view
		}
		for name, s := range seen {
			view.Secrets[[2]string{namespace, name}] = s
		}
	}
	if view.Census, err = censusOf(ctx, f.Clusters, cluster, refs); err != nil {
		view.Uncounted = unanswered(ctx, err)
	}
	return view
}

// unanswered turns the end of the time that a cluster has into a fault, so that it can be shown.
func unanswered(ctx context.Context, err error) error {
	if fault.KindOf(err) == "" && ctx.Err() != nil {
		return fault.New(fault.Unavailable, "it did not answer within %s", lookFor)
	}
	return err
}

// agreed makes sure, before a value is made, that the world is still what the run is bound to. Nothing was sent yet, so a run
// that is refused here is cancelled.
func (e *Engine) agreed(ctx context.Context, run Run) (Run, error) {
	if run.Plan == "" || e.Agreed == nil {
		return run, nil
	}
	err := e.Agreed(ctx, run.AccountID, run.Plan)
	if f := asFault(err); f != nil && f.Kind == fault.Conflict {
		return e.stop(ctx, run, Cancelled, f.Msg, f.Cure)
	}
	return run, err
}
