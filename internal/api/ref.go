package api

import (
	"context"

	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
)

// The objects that paths name are embedded in inputs. They are exported because huma looks into no other.
type (
	// ClusterRef names a cluster.
	ClusterRef struct {
		Cluster string `path:"cluster" maxLength:"64" doc:"id or name"`
	}
	// ResourceRef names a resource.
	ResourceRef struct {
		Resource string `path:"resource" maxLength:"400" doc:"id or name"`
	}
	// AccountRef names an account or, where an operation is for both, a Secret.
	AccountRef struct {
		Account string `path:"account" maxLength:"64" doc:"id"`
	}
	// SecretRef names a Secret.
	SecretRef struct {
		Secret string `path:"secret" maxLength:"64" doc:"id"`
	}
	// MappingRef names a mapping.
	MappingRef struct {
		Mapping string `path:"mapping" maxLength:"64" doc:"id"`
	}
	// RunRef names a run.
	RunRef struct {
		Run string `path:"run" maxLength:"64" doc:"id"`
	}
	// UserRef names a user.
	UserRef struct {
		User string `path:"user" maxLength:"256" doc:"id or name"`
	}
	// GroupRef names a group.
	GroupRef struct {
		Group string `path:"group" maxLength:"256" doc:"id or name"`
	}
)

func (r ClusterRef) ref() string  { return r.Cluster }
func (r ResourceRef) ref() string { return r.Resource }
func (r AccountRef) ref() string  { return r.Account }
func (r SecretRef) ref() string   { return r.Secret }
func (r MappingRef) ref() string  { return r.Mapping }
func (r RunRef) ref() string      { return r.Run }
func (r UserRef) ref() string     { return r.User }
func (r GroupRef) ref() string    { return r.Group }

// of makes an operation's Object of what its input names.
func of[I any, P interface {
	*I
	ref() string
}](find func(ctx context.Context, ref string) (policy.Object, string, error)) func(context.Context, *I) (policy.Object, string, error) {
	return func(ctx context.Context, in *I) (policy.Object, string, error) { return find(ctx, P(in).ref()) }
}

// remove handles the deletion of an operation's object, at the revision that the caller read.
func remove[I any, P interface {
	*I
	rev() (int64, error)
}](do func(ctx context.Context, actor identity.Actor, id string, rev int64) error) func(context.Context, call, *I) (*none, error) {
	return func(ctx context.Context, c call, in *I) (*none, error) {
		rev, err := P(in).rev()
		if err != nil {
			return nil, err
		}
		return &none{}, do(ctx, c.Actor, c.Object.ID, rev)
	}
}
