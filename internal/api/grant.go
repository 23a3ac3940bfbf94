package api

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
)

// Grants are the standing rights, and what finds the objects that they are on.
type Grants interface {
	GrantStore
	Grantable
}

// GrantStore keeps grants.
type GrantStore interface {
	Grant(ctx context.Context, id string) (access.Grant, error)
	Grants(ctx context.Context, q store.GrantQuery) (store.Page[store.GrantRow], error)
	AddGrant(ctx context.Context, g access.Grant, ev audit.Event) error
	DeleteGrant(ctx context.Context, id string, rev int64, ev audit.Event) error
}

// Grantable finds what grants can be on. Each method fails with fault.NotFound.
type Grantable interface {
	Cluster(ctx context.Context, id string) (inventory.Cluster, error)
	ClusterByName(ctx context.Context, name string) (inventory.Cluster, error)
	Resource(ctx context.Context, id string) (inventory.Resource, error)
	ResourceByName(ctx context.Context, name string) (inventory.Resource, error)
	Account(ctx context.Context, id string) (inventory.Account, error)
	Secret(ctx context.Context, id string) (inventory.Secret, error)
}

type (
	grantsIn   struct{ client.GrantFilter }
	newGrantIn struct{ Body client.NewGrant }
	grantIn    struct {
		Grant string `path:"grant" maxLength:"64"`
		IfMatch
	}
)

// grantOps registers standing rights. What may be done is decided on the object that the right is on.
func (s *Server) grantOps() {
	op(s, operation[grantsIn]{Method: http.MethodGet, Path: "/grants", Op: policy.GrantList, Summary: "List standing rights",
		Object: s.grantsObject}, s.listGrants)
	object := func(ctx context.Context, in *newGrantIn) (policy.Object, string, error) {
		return s.grantable(ctx, in.Body.ObjectKind, in.Body.ObjectID)
	}
	op(s, operation[newGrantIn]{Method: http.MethodPost, Path: "/grants", Op: policy.GrantCreate,
		Summary: "Give a user or a group a right on an object", Status: http.StatusCreated, Object: object}, s.addGrant)
	op(s, operation[grantIn]{Method: http.MethodDelete, Path: "/grants/{grant}", Op: policy.GrantDelete, Summary: "Take a right back",
		Status: http.StatusNoContent, Object: s.grantObject},
		func(ctx context.Context, c call, in *grantIn) (*none, error) {
			g, err := s.Grants.Grant(ctx, in.Grant)
			if err != nil {
				return nil, err
			}
			if in.ETag != "" {
				if g.Rev, err = in.rev(); err != nil {
					return nil, err
				}
			}
			return &none{}, s.Grants.DeleteGrant(ctx, g.ID, g.Rev, onGrant(c.Actor, policy.GrantDelete, g, ""))
		})
}

func (s *Server) grantsObject(ctx context.Context, in *grantsIn) (policy.Object, string, error) {
	switch {
	case in.ObjectID == "":
		return policy.Object{}, "", nil
	case in.ObjectKind == "":
		return policy.Object{}, "", fault.New(fault.Invalid, "an object without its kind").WithCure("say whether it is a cluster, a resource or an account")
	}
	return s.grantable(ctx, in.ObjectKind, in.ObjectID)
}

func (s *Server) grantObject(ctx context.Context, in *grantIn) (policy.Object, string, error) {
	g, err := s.Grants.Grant(ctx, in.Grant)
	if err != nil {
		return about("grant", in.Grant, "", "", err)
	}
	return policy.Object{Kind: g.ObjectKind, ID: g.ObjectID}, "", nil
}

// grantable finds an object by its id or, where it has one of its own, its name.
func (s *Server) grantable(ctx context.Context, kind, idOrName string) (policy.Object, string, error) {
	id, name, err := s.findGrantable(ctx, kind, idOrName)
	return about(kind, idOrName, id, name, err)
}

func (s *Server) findGrantable(ctx context.Context, kind, idOrName string) (id, name string, err error) {
	switch kind {
	case access.Cluster:
		x, err := s.Grants.Cluster(ctx, idOrName)
		if fault.KindOf(err) == fault.NotFound {
			x, err = s.Grants.ClusterByName(ctx, idOrName)
		}
		return x.ID, x.Name, err
	case access.Resource:
		x, err := s.Grants.Resource(ctx, idOrName)
		if fault.KindOf(err) == fault.NotFound {
			x, err = s.Grants.ResourceByName(ctx, idOrName)
		}
		return x.ID, x.Name, err
	}
	a, err := s.Grants.Account(ctx, idOrName)
	if fault.KindOf(err) != fault.NotFound {
		return a.ID, a.Name, err
	}
	x, err := s.Grants.Secret(ctx, idOrName)
	return x.ID, x.Namespace + "/" + x.Name, err
}

// subject finds the user or group that a grant is for.
func (s *Server) subject(ctx context.Context, kind, idOrName string) (id, name string, err error) {
	if kind == access.Group {
		g, err := s.Identity.Group(ctx, idOrName)
		return g.ID, g.Name, err
	}
	u, err := s.Identity.User(ctx, idOrName)
	return u.ID, u.Name, err
}

// listGrants reads all pages: the answer is one list.
func (s *Server) listGrants(ctx context.Context, c call, in *grantsIn) (*list[client.Page[client.Grant]], error) {
	q := store.GrantQuery{ListQuery: store.ListQuery{Limit: 500}, ObjectKind: in.ObjectKind, ObjectID: c.Object.ID,
		SubjectKind: in.SubjectKind, SubjectID: in.SubjectID}
	if in.SubjectKind != "" && in.SubjectID != "" {
		id, _, err := s.subject(ctx, in.SubjectKind, in.SubjectID)
		if err != nil {
			return nil, hide(err)
		}
		q.SubjectID = id
	}
	var all []store.GrantRow
	for {
		p, err := s.Grants.Grants(ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, p.Items...)
		if q.Cursor = p.Next; q.Cursor == "" {
			break
		}
	}
	out := whole(all, func(g store.GrantRow) client.Grant { return grantOf(c, g) }, c.Actor, policy.GrantCreate)
	out.Body.Can = canOf(c.Actor, c.Object, map[string]policy.Operation{"create": policy.GrantCreate})
	return out, nil
}

func (s *Server) addGrant(ctx context.Context, c call, in *newGrantIn) (*answer[client.Grant], error) {
	b := in.Body
	subject, subjectName, err := s.subject(ctx, b.SubjectKind, b.SubjectID)
	if fault.KindOf(err) == fault.NotFound {
		return nil, fault.New(fault.Invalid, "there is no such %s", b.SubjectKind).WithField("subjectId").WithCure("give its id or its name")
	}
	if err != nil {
		return nil, err
	}
	level, err := policy.ParseLevel(b.Level)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	g := access.Grant{ID: uuid.Must(uuid.NewV7()).String(), SubjectKind: b.SubjectKind, SubjectID: subject, ObjectKind: c.Object.Kind, ObjectID: c.Object.ID,
		Level: level, GrantedBy: c.Actor.ID, CreatedAt: now, Rev: 1}
	if b.ExpiresAt != nil {
		g.ExpiresAt = b.ExpiresAt.UTC().Truncate(time.Microsecond)
	}
	if err := g.Validate(now); err != nil {
		return nil, err
	}
	if err := s.Grants.AddGrant(ctx, g, onGrant(c.Actor, policy.GrantCreate, g, subjectName)); err != nil {
		return nil, err
	}
	_, objectName, err := s.findGrantable(ctx, g.ObjectKind, g.ObjectID)
	if fault.KindOf(err) != fault.NotFound && err != nil {
		return nil, err
	}
	row := store.GrantRow{Grant: g, SubjectName: subjectName, ObjectName: objectName, GrantedByName: c.Actor.Name}
	return &answer[client.Grant]{ETag: etag(g.Rev), Body: grantOf(c, row)}, nil
}

// onGrant is the evidence of a change of a grant: it says who has what on which object.
func onGrant(actor identity.Actor, action policy.Operation, g access.Grant, subject string) audit.Event {
	ev := audit.New(actor, string(action), audit.Object{Kind: "grant", ID: g.ID, Name: subject, Parent: g.ObjectID}).
		With("subjectKind", g.SubjectKind).With("subject", g.SubjectID).With("objectKind", g.ObjectKind).With("level", g.Level.String())
	if !g.ExpiresAt.IsZero() {
		ev = ev.With("expires", g.ExpiresAt.Format(time.RFC3339))
	}
	return ev
}

// grantOf converts a row; the level of c's object is the caller's on what the grant is on.
func grantOf(c call, g store.GrantRow) client.Grant {
	by := g.GrantedByName
	if by == "" {
		by = g.GrantedBy
	}
	return client.Grant{ID: g.ID, SubjectKind: g.SubjectKind, SubjectID: g.SubjectID, SubjectName: g.SubjectName, ObjectKind: g.ObjectKind,
		ObjectID: g.ObjectID, ObjectName: g.ObjectName, Level: g.Level.String(), ExpiresAt: orNil(g.ExpiresAt), GrantedBy: by, CreatedAt: g.CreatedAt, Rev: g.Rev,
		Can: canOf(c.Actor, policy.Object{Kind: g.ObjectKind, ID: g.ObjectID, Level: c.Object.Level}, map[string]policy.Operation{"delete": policy.GrantDelete})}
}
