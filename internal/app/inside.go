package app

import (
	"context"
	"net"

	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/kube"
)

// Way implements Insides.
func (c *Clusters) Way(ctx context.Context, t inventory.Through) (func(ctx context.Context, port int) (net.Conn, error), error) {
	conn, err := c.conn(ctx, t.ClusterID)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, port int) (net.Conn, error) {
		to := kube.Inside{Namespace: t.Namespace, Port: port}
		if t.Kind == inventory.ThroughService {
			to.Service = t.Name
		} else {
			to.Pod = t.Name
		}
		return conn.DialInside(ctx, to)
	}, nil
}
