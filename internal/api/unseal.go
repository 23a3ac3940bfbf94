package api

import (
	"context"
	"net/http"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/policy"
)

// unsealOps registers what works while the server is sealed.
func (s *Server) unsealOps() {
	op(s, operation[unsealIn]{Method: http.MethodPost, Path: "/unseal", Op: policy.ServerUnseal, Summary: "Open a sealed server"},
		func(ctx context.Context, c call, in *unsealIn) (*list[client.Health], error) {
			if err := s.Seal.Unseal(ctx, in.Body.Passphrase, c.Actor); err != nil {
				return nil, err
			}
			return &list[client.Health]{Body: s.Seal.Health()}, nil
		})
}

type unsealIn struct{ Body client.Unseal }
