package api

import (
	"context"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
)

// mayReach lets the gate decide on the cluster that a resource is to be reached through: whoever points a resource at it
// uses its connector's rights. It returns nil for nil.
func (s *Server) mayReach(ctx context.Context, c call, asked *client.Through) (*inventory.Through, error) {
	if asked == nil {
		return nil, nil
	}
	id := ""
	if asked.Cluster != "" {
		obj, name, err := s.clusterObject(ctx, asked.Cluster)
		if obj, err = s.check(ctx, c.Actor, policy.ClusterUpdate, obj, name, err); err != nil {
			return nil, err
		}
		id = obj.ID
	}
	through, err := inventory.ParseThrough(id, asked.Place)
	return &through, err
}

// mayRedirect lets the gate decide on the cluster that the resource is reached through, if it is: the settings say to
// which port.
func (s *Server) mayRedirect(ctx context.Context, c call) error {
	r, err := s.Objects.Resource(ctx, c.Object.ID)
	if err != nil || r.Through.ClusterID == "" {
		return err
	}
	_, err = s.mayReach(ctx, c, &client.Through{Cluster: r.Through.ClusterID, Place: r.Through.Place()})
	return err
}

// ways returns how resources are reached that are not reached directly, by their ids. Of a cluster that the asker may not
// know of it says nothing.
func (s *Server) ways(ctx context.Context, c call, rows ...store.ResourceRow) (map[string]*client.Through, error) {
	ways, seen := map[string]*client.Through{}, map[string]client.Through{}
	for _, row := range rows {
		id := row.Through.ClusterID
		if id == "" {
			continue
		}
		if _, known := seen[id]; !known {
			p, err := s.Clusters.Clusters(ctx, viewer(c), store.ClusterQuery{ID: id, Removed: true})
			if err != nil {
				return nil, err
			}
			seen[id] = client.Through{}
			for _, cluster := range p.Items {
				seen[id] = client.Through{Cluster: id, ClusterName: cluster.Name, Removed: cluster.State == inventory.ClusterRemoved}
			}
		}
		way := seen[id]
		way.Place = row.Through.Place()
		ways[row.ID] = &way
	}
	return ways, nil
}

// orZero is what p points to, or the zero value.
func orZero[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
