package rotation

import (
	"context"
	"fmt"
	"slices"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

func (w *world) Open(context.Context, string) (Target, error) { return w, nil }
func (w *world) Remote() bool                                 { return !w.noRemote }
func (w *world) Reconciled() bool                             { return w.reconciled }

func (w *world) Generate(context.Context, string) (vault.Value, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made++
	if w.makes != "" {
		return vault.NewValue([]byte(w.makes)), nil
	}
	return vault.NewValue(fmt.Appendf(nil, "new%d", w.made)), nil
}

func (w *world) Prepare(v vault.Value) (vault.Value, error) { return v, nil }

func (w *world) Change(ctx context.Context, old, _, prepared vault.Value) (Outcome, error) {
	return w.effect(ctx, "target:change", old, func() (bool, error) {
		return w.rejects > 0, nil
	}, func() {
		w.accepted, w.also = text(prepared), ""
		w.changes++
	})
}

func (w *world) Overlaps() bool { return w.run.Strategy == Overlap }

func (w *world) Add(ctx context.Context, old, next, _ vault.Value) (Outcome, error) {
	return w.effect(ctx, "target:change", old, func() (bool, error) {
		done, err := w.takes(text(old), text(next))
		return !done && w.rejects > 0, err
	}, func() {
		if w.accepted != text(next) {
			w.accepted, w.also = text(next), text(old)
			w.changes++
		}
	})
}

func (w *world) Drop(ctx context.Context, old, next, _ vault.Value) (Outcome, error) {
	if w.homes != nil {
		return w.ends(ctx, old, next)
	}
	return w.effect(ctx, "target:drop", next, func() (bool, error) {
		_, err := w.takes(text(next), text(old))
		return false, err
	}, func() { w.accepted, w.also = text(next), "" })
}

// takes reports whether the target takes may beside must. As real ones do it refuses to go on where it does not take must,
// or takes a third value.
func (w *world) takes(must, may string) (both bool, err error) {
	held := slices.DeleteFunc([]string{w.accepted, w.also}, func(v string) bool { return v == "" })
	if must == may || !slices.Contains(held, must) || slices.ContainsFunc(held, func(v string) bool { return v != must && v != may }) {
		return false, fault.New(fault.Conflict, "it takes %q, not just %q and %q", held, must, may)
	}
	return slices.Contains(held, may), nil
}

// effect is a change that may fail, be refused, or have its reply lost. It logs in with by, or as the reconcile account.
func (w *world) effect(ctx context.Context, call string, by vault.Value, check func() (rejected bool, err error), do func()) (Outcome, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.take(call)
	if ctx.Err() != nil || m == fails {
		return NotSent, errInjected
	}
	if m == vanished {
		return Unknown, errInjected
	}
	if !w.reconciled && text(by) != w.accepted && (w.also == "" || text(by) != w.also) {
		return Refused, fault.New(fault.Denied, "wrong password")
	}
	if rejected, err := check(); err != nil {
		return Refused, err
	} else if rejected {
		w.rejects--
		return Rejected, fault.New(fault.Invalid, "too short")
	}
	do()
	if m == lost {
		return Unknown, errInjected
	}
	return Changed, nil
}

func (w *world) Login(_ context.Context, v vault.Value) (Answer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.take("target:login") != 0 {
		return NoAnswer, errInjected
	}
	if w.homes != nil && w.secrets["c1/"+w.homes[text(v)]] == nil {
		return Denied, fault.New(fault.Denied, "its Secret is gone")
	}
	if text(v) == w.accepted || w.also != "" && text(v) == w.also {
		return Accepted, nil
	}
	return Denied, fault.New(fault.Denied, "wrong password")
}

func (w *world) ProveChange(ctx context.Context, old, next vault.Value) (Answer, bool, error) {
	a, err := w.Prove(ctx, next)
	w.mu.Lock()
	defer w.mu.Unlock()
	return a, a == Accepted && old.Len() > 0 && text(old) != w.accepted && text(old) != w.also, err
}

func (w *world) Prove(ctx context.Context, v vault.Value) (Answer, error) {
	w.mu.Lock()
	m := w.take("target:prove")
	w.mu.Unlock()
	if m != 0 {
		return NoAnswer, errInjected
	}
	return w.Login(ctx, v)
}
