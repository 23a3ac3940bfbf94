package api

import (
	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
)

// canOf says by verb what actor may do to obj, whose Level is the actor's. It is for showing only: the gate decides again.
func canOf(actor identity.Actor, obj policy.Object, verbs map[string]policy.Operation) client.Can {
	can := make(client.Can, len(verbs))
	for verb, op := range verbs {
		d := policy.Decide(actor, op, obj)
		can[verb] = client.Permission{Allowed: d.Allowed, Reason: sentence(d.Reason)}
	}
	return can
}

// viewer is for whom a request lists.
func viewer(c call) store.Viewer {
	return store.Viewer{All: policy.Visible(c.Actor).All, UserID: c.Actor.ID}
}

// about is what a look-up found of an object: what it was asked for (ref), and the id and the name that it has. Of one that
// is not there it is what was asked for.
func about(kind, ref, id, name string, err error) (policy.Object, string, error) {
	if err != nil {
		return policy.Object{Kind: kind, ID: ref}, "", err
	}
	return policy.Object{Kind: kind, ID: id}, name, nil
}

// hide makes the error of a lookup the one for a hidden object, so that neither tells which ids there are.
func hide(err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return unknown()
	}
	return err
}
