package inventory

import (
	"context"
	"regexp"
	"strings"

	"github.com/keyturn/keyturn/internal/fault"
)

// What a resource can be reached through.
const (
	ThroughService = "service"
	ThroughPod     = "pod"
	// ThroughAccounts is the way to what the API server keeps itself: the ServiceAccounts of a namespace. It has no name.
	ThroughAccounts = "serviceaccounts"
)

// Through says that a resource is reached through a cluster's API server: at the resource's own port of a service or a pod
// there, or that it is the ServiceAccounts of a namespace. The zero value is the direct way.
type Through struct {
	ClusterID, Namespace string
	// Kind is ThroughService, ThroughPod or ThroughAccounts, and Name the object's.
	Kind, Name string
}

// objectName is what Kubernetes lets a service or a pod be called, and a namespace.
var objectName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)

// ParseThrough reads a place in a cluster, written namespace/service/NAME, namespace/pod/NAME or
// namespace/serviceaccounts. It fails with
// fault.Invalid when it is none. Both empty are the zero value.
func ParseThrough(clusterID, place string) (Through, error) {
	if clusterID == "" && place == "" {
		return Through{}, nil
	}
	parts := strings.Split(place, "/")
	if clusterID != "" && len(parts) == 2 && parts[1] == ThroughAccounts && objectName.MatchString(parts[0]) {
		return Through{ClusterID: clusterID, Namespace: parts[0], Kind: ThroughAccounts}, nil
	}
	if clusterID == "" || len(parts) != 3 || parts[1] != ThroughService && parts[1] != ThroughPod ||
		!objectName.MatchString(parts[0]) || !objectName.MatchString(parts[2]) {
		return Through{}, badThrough("the way through a cluster is not complete", "give the cluster, and namespace/service/NAME or namespace/pod/NAME; of ServiceAccounts namespace/serviceaccounts")
	}
	return Through{ClusterID: clusterID, Namespace: parts[0], Kind: parts[1], Name: parts[2]}, nil
}

// Place is what ParseThrough reads, empty for the direct way.
func (t Through) Place() string {
	switch {
	case t == (Through{}):
		return ""
	case t.Kind == ThroughAccounts:
		return t.Namespace + "/" + t.Kind
	}
	return t.Namespace + "/" + t.Kind + "/" + t.Name
}

func badThrough(cause, cure string) error {
	return fault.New(fault.Invalid, "%s", cause).WithField("through").WithCure("%s", cure)
}

// checkThrough fails with fault.Invalid unless resources of the type can be reached that way with the connector's rights.
func (s *Accounts) checkThrough(ctx context.Context, typ string, t Through) error {
	ofAccounts := s.Types.IsOfCluster(typ)
	switch {
	case ofAccounts && t.Kind != ThroughAccounts:
		return badThrough("a resource of this type is the ServiceAccounts of a cluster's namespace", "give the cluster, and namespace/serviceaccounts (--through-cluster, --through)")
	case t == (Through{}):
		return nil
	case t.Kind == ThroughAccounts && !ofAccounts:
		return badThrough("ServiceAccounts are a resource of their own type", "use the type kubernetes-token, or name a service or a pod")
	case !ofAccounts && !s.Types.CanBeInside(typ):
		return badThrough("resources of this type are not reached over a connection of their own", "leave the way through a cluster out")
	}
	c, err := s.Store.Cluster(ctx, t.ClusterID)
	switch {
	case err != nil:
		return err
	case c.State == ClusterRemoved:
		return badThrough("the cluster "+c.Name+" was removed", "connect it again, or choose another")
	case !c.Scope.Covers(t.Namespace):
		return badThrough("the connector of "+c.Name+" has no rights in that namespace", "widen the cluster's scope, and apply the manifest for it")
	case ofAccounts && !c.Scope.Replace:
		return badThrough("the connector of "+c.Name+" may not make Secrets, which is how a token is issued", "allow it to replace Secrets in the cluster's scope, and apply the manifest for it")
	case !ofAccounts && !c.Scope.PortForward:
		return badThrough("the connector of "+c.Name+" may not connect to ports of pods", "allow it in the cluster's scope, and apply the manifest for it")
	}
	return nil
}
