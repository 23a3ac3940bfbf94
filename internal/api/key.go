package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/keyring"
	"github.com/keyturn/keyturn/internal/policy"
)

// Keys are the keys that seal values.
type Keys interface {
	// Keys returns the data keys, the newest first.
	Keys(ctx context.Context) ([]keyring.Key, error)
	// Rotate makes a new data key and returns its id.
	Rotate(ctx context.Context, actor identity.Actor) (uint32, error)
	// Remove fails with fault.Conflict while anything is sealed with the key, or it is the active one.
	Remove(ctx context.Context, actor identity.Actor, id uint32) error
	// ChangeRoot has the next root key wrap the ring. The passphrase is given where the root key is derived from one.
	ChangeRoot(ctx context.Context, actor identity.Actor, passphrase client.Value) (client.RootChange, error)
}

type (
	keyPath struct {
		Key string `path:"key" maxLength:"64" doc:"id"`
	}
	nextRootIn struct{ Body client.NextRoot }
)

// keyOps registers what is done with the keys that seal values.
func (s *Server) keyOps() {
	op(s, operation[struct{}]{Method: http.MethodGet, Path: "/keys", Op: policy.KeyList, Summary: "List the keys that seal values, the newest first"},
		func(ctx context.Context, _ call, _ *struct{}) (*list[items[client.DataKey]], error) {
			return s.listKeys(ctx)
		})
	op(s, operation[struct{}]{Method: http.MethodPost, Path: "/keys/rotate", Op: policy.KeyRotate,
		Summary: "Make a new data key; what the one before has sealed is sealed again in the background"},
		func(ctx context.Context, c call, _ *struct{}) (*list[client.KeyRotation], error) {
			id, err := s.Keys.Rotate(ctx, c.Actor)
			if err != nil {
				return nil, err
			}
			all, err := s.listKeys(ctx)
			if err != nil {
				return nil, err
			}
			return &list[client.KeyRotation]{Body: client.KeyRotation{Active: keyID(id), Items: all.Body.Items}}, nil
		})
	op(s, operation[nextRootIn]{Method: http.MethodPost, Path: "/keys/root", Op: policy.KeyRoot, Summary: "Have the next root key take the place of the present one"},
		func(ctx context.Context, c call, in *nextRootIn) (*list[client.RootChange], error) {
			out, err := s.Keys.ChangeRoot(ctx, c.Actor, in.Body.Passphrase)
			return &list[client.RootChange]{Body: out}, err
		})
	op(s, operation[keyPath]{Method: http.MethodDelete, Path: "/keys/{key}", Op: policy.KeyRemove, Status: http.StatusNoContent,
		Summary: "Remove a retired data key that nothing is sealed with any more", Object: s.keyObject},
		func(ctx context.Context, c call, in *keyPath) (*none, error) {
			id, err := strconv.ParseUint(in.Key, 10, 32)
			if err != nil {
				return nil, noKey()
			}
			return &none{}, s.Keys.Remove(ctx, c.Actor, uint32(id))
		})
}

func (s *Server) listKeys(ctx context.Context) (*list[items[client.DataKey]], error) {
	all, err := s.Keys.Keys(ctx)
	if err != nil {
		return nil, err
	}
	return itemsOf(all, func(k keyring.Key) client.DataKey {
		out := client.DataKey{ID: keyID(k.ID), State: "retired", MadeAt: k.MadeAt, RetiredAt: orNil(k.RetiredAt), Records: k.Records, Uses: int64(k.Uses)}
		if k.Active {
			out.State = "active"
		}
		return out
	}), nil
}

func (s *Server) keyObject(ctx context.Context, in *keyPath) (policy.Object, string, error) {
	obj := policy.Object{Kind: "key", ID: in.Key}
	all, err := s.Keys.Keys(ctx)
	if err != nil {
		return obj, "", err
	}
	for _, k := range all {
		if keyID(k.ID) == in.Key {
			return obj, "data key " + in.Key, nil
		}
	}
	return obj, "", noKey()
}

func noKey() error {
	return fault.New(fault.NotFound, "there is no such data key").WithCure("take an id from the list of keys")
}

func keyID(id uint32) string { return strconv.FormatUint(uint64(id), 10) }
