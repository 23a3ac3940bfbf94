package app

import (
	"context"
	"net"

	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/kube"
)

// DialInside implements Insides.
func (c *Clusters) DialInside(ctx context.Context, t inventory.Through, port int) (net.Conn, error) {
	conn, err := c.conn(ctx, t.ClusterID)
	if err != nil {
		return nil, err
	}
	to := kube.Inside{Namespace: t.Namespace, Port: port}
	if t.Kind == inventory.ThroughService {
		to.Service = t.Name
	} else {
		to.Pod = t.Name
	}
	return conn.DialInside(ctx, to)
}
