package testbed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Clusters are control planes on one etcd.
type Clusters struct {
	Etcd   *Etcd
	Planes []*ControlPlane // named c1, c2, …
}

// StartClusters starts n control planes at the same time on one etcd, in temporary folders. On an error none is left.
func StartClusters(ctx context.Context, n int) (*Clusters, error) {
	return StartClustersWithNodes(ctx, n, 0)
}

// StartClustersWithNodes is StartClusters for control planes that have nodes each.
func StartClustersWithNodes(ctx context.Context, n, nodes int) (*Clusters, error) {
	etcd, err := StartEtcd(ctx, EtcdOptions{})
	if err != nil {
		return nil, err
	}
	planes, errs := make([]*ControlPlane, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			planes[i], errs[i] = StartControlPlane(ctx, Options{Name: fmt.Sprintf("c%d", i+1), Etcd: etcd, Nodes: nodes})
		})
	}
	wg.Wait()
	cs := &Clusters{Etcd: etcd, Planes: slices.DeleteFunc(planes, func(c *ControlPlane) bool { return c == nil })}
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, cs.Stop())
	}
	return cs, nil
}

// Stop ends the control planes at the same time, then etcd.
func (cs *Clusters) Stop() error {
	errs := make([]error, len(cs.Planes))
	var wg sync.WaitGroup
	for i, c := range cs.Planes {
		wg.Go(func() { errs[i] = c.Stop() })
	}
	wg.Wait()
	return errors.Join(append(errs, cs.Etcd.Stop())...)
}
