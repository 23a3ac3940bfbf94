package api

import (
	"context"
	"net/http"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/vault"
)

// People are the users.
type People interface {
	User(ctx context.Context, idOrName string) (identity.User, error)
	Users(ctx context.Context) ([]identity.User, error)
	CreateUser(ctx context.Context, actor identity.Actor, n identity.NewUser) (identity.User, error)
	UpdateUser(ctx context.Context, actor identity.Actor, id string, rev int64, c identity.UserChange) (identity.User, error)
	SetPassword(ctx context.Context, actor identity.Actor, id string, current, next vault.Value) error
	DeleteUser(ctx context.Context, actor identity.Actor, id string, rev int64) error
}

// Groups are sets of users.
type Groups interface {
	Group(ctx context.Context, idOrName string) (identity.Group, error)
	Groups(ctx context.Context) ([]identity.Group, error)
	CreateGroup(ctx context.Context, actor identity.Actor, name, description string, members []string) (identity.Group, error)
	UpdateGroup(ctx context.Context, actor identity.Actor, id string, rev int64, c identity.GroupChange) (identity.Group, error)
	DeleteGroup(ctx context.Context, actor identity.Actor, id string, rev int64) error
}

// peopleOps registers users and groups.
func (s *Server) peopleOps() {
	s.userOps()
	s.groupOps()
}

type (
	newUserIn    struct{ Body client.NewUser }
	userChangeIn struct {
		UserRef
		IfMatch
		Body client.UserChange
	}
	userDeleteIn struct {
		UserRef
		IfMatch
	}
	passwordIn struct {
		UserRef
		Body client.NewPassword
	}
)

func (s *Server) userOps() {
	op(s, operation[struct{}]{Method: http.MethodGet, Path: "/users", Op: policy.UserList, Summary: "List users"},
		func(ctx context.Context, c call, _ *struct{}) (*list[client.Page[client.User]], error) {
			all, err := s.Identity.Users(ctx)
			if err != nil {
				return nil, err
			}
			return whole(all, func(u identity.User) client.User { return userOf(c.Actor, u) }, c.Actor, policy.UserCreate), nil
		})
	op(s, operation[newUserIn]{Method: http.MethodPost, Path: "/users", Op: policy.UserCreate, Summary: "Make a user", Status: http.StatusCreated},
		func(ctx context.Context, c call, in *newUserIn) (*answer[client.User], error) {
			u, err := s.Identity.CreateUser(ctx, c.Actor, identity.NewUser{Name: in.Body.Name, DisplayName: in.Body.DisplayName,
				Role: identity.Role(in.Body.Role), Password: received(in.Body.Password)})
			return userAnswer(c, u, err)
		})
	op(s, operation[UserRef]{Method: http.MethodGet, Path: "/users/{user}", Op: policy.UserGet, Summary: "Show a user",
		Object: of[UserRef](s.userObject)},
		func(ctx context.Context, c call, _ *UserRef) (*answer[client.User], error) {
			u, err := s.Identity.User(ctx, c.Object.ID)
			return userAnswer(c, u, err)
		})
	op(s, operation[userChangeIn]{Method: http.MethodPatch, Path: "/users/{user}", Op: policy.UserUpdate, Summary: "Change a user",
		Object: of[userChangeIn](s.userObject)}, s.changeUser)
	op(s, operation[userDeleteIn]{Method: http.MethodDelete, Path: "/users/{user}", Op: policy.UserDelete,
		Summary: "Delete a user with everything that is theirs", Status: http.StatusNoContent,
		Object: of[userDeleteIn](s.userObject)},
		remove[userDeleteIn](func(ctx context.Context, a identity.Actor, id string, rev int64) error {
			return s.Identity.DeleteUser(ctx, a, id, rev)
		}))
	op(s, operation[passwordIn]{Method: http.MethodPost, Path: "/users/{user}/password", Op: policy.UserPassword,
		Summary: "Set a password and end the other sessions", Status: http.StatusNoContent,
		Object: of[passwordIn](s.userObject)},
		func(ctx context.Context, c call, in *passwordIn) (*none, error) {
			return &none{}, s.Identity.SetPassword(ctx, c.Actor, c.Object.ID, received(in.Body.Current), received(in.Body.Password))
		})
}

func (s *Server) changeUser(ctx context.Context, c call, in *userChangeIn) (*answer[client.User], error) {
	rev, err := in.rev()
	if err != nil {
		return nil, err
	}
	change := identity.UserChange{DisplayName: in.Body.DisplayName, Disabled: in.Body.Disabled}
	if in.Body.Role != nil {
		role := identity.Role(*in.Body.Role)
		change.Role = &role
	}
	u, err := s.Identity.UpdateUser(ctx, c.Actor, c.Object.ID, rev, change)
	return userAnswer(c, u, err)
}

// userObject finds the user that ref names, by id or name.
func (s *Server) userObject(ctx context.Context, ref string) (policy.Object, string, error) {
	u, err := s.Identity.User(ctx, ref)
	obj, name, err := about("user", ref, u.ID, u.Name, err)
	obj.Owner = u.ID
	return obj, name, err
}

func userAnswer(c call, u identity.User, err error) (*answer[client.User], error) {
	if err != nil {
		return nil, err
	}
	return &answer[client.User]{ETag: etag(u.Rev), Body: userOf(c.Actor, u)}, nil
}

func userOf(actor identity.Actor, u identity.User) client.User {
	return client.User{ID: u.ID, Name: u.Name, DisplayName: u.DisplayName, Role: string(u.Role), Disabled: u.Disabled,
		LastLoginAt: orNil(u.LastLoginAt), CreatedAt: u.CreatedAt, Rev: u.Rev,
		Can: canOf(actor, policy.Object{Kind: "user", ID: u.ID, Owner: u.ID},
			map[string]policy.Operation{"update": policy.UserUpdate, "delete": policy.UserDelete, "password": policy.UserPassword})}
}

type (
	newGroupIn    struct{ Body client.NewGroup }
	groupChangeIn struct {
		GroupRef
		IfMatch
		Body client.GroupChange
	}
	groupDeleteIn struct {
		GroupRef
		IfMatch
	}
)

func (s *Server) groupOps() {
	op(s, operation[struct{}]{Method: http.MethodGet, Path: "/groups", Op: policy.GroupList, Summary: "List groups"}, s.listGroups)
	op(s, operation[newGroupIn]{Method: http.MethodPost, Path: "/groups", Op: policy.GroupCreate, Summary: "Make a group", Status: http.StatusCreated},
		func(ctx context.Context, c call, in *newGroupIn) (*answer[client.Group], error) {
			members, err := s.members(ctx, in.Body.Members)
			if err != nil {
				return nil, err
			}
			g, err := s.Identity.CreateGroup(ctx, c.Actor, in.Body.Name, in.Body.Description, members)
			return s.groupAnswer(ctx, c, g, err)
		})
	op(s, operation[GroupRef]{Method: http.MethodGet, Path: "/groups/{group}", Op: policy.GroupGet, Summary: "Show a group",
		Object: of[GroupRef](s.groupObject)},
		func(ctx context.Context, c call, _ *GroupRef) (*answer[client.Group], error) {
			g, err := s.Identity.Group(ctx, c.Object.ID)
			return s.groupAnswer(ctx, c, g, err)
		})
	op(s, operation[groupChangeIn]{Method: http.MethodPatch, Path: "/groups/{group}", Op: policy.GroupUpdate, Summary: "Change a group",
		Object: of[groupChangeIn](s.groupObject)}, s.changeGroup)
	op(s, operation[groupDeleteIn]{Method: http.MethodDelete, Path: "/groups/{group}", Op: policy.GroupDelete,
		Summary: "Delete a group with what was granted to it", Status: http.StatusNoContent,
		Object: of[groupDeleteIn](s.groupObject)},
		remove[groupDeleteIn](func(ctx context.Context, a identity.Actor, id string, rev int64) error {
			return s.Identity.DeleteGroup(ctx, a, id, rev)
		}))
}

func (s *Server) listGroups(ctx context.Context, c call, _ *struct{}) (*list[client.Page[client.Group]], error) {
	all, err := s.Identity.Groups(ctx)
	if err != nil {
		return nil, err
	}
	users, err := s.Identity.Users(ctx)
	if err != nil {
		return nil, err
	}
	names := namesOf(users)
	return whole(all, func(g identity.Group) client.Group { return groupOf(c.Actor, g, names) }, c.Actor, policy.GroupCreate), nil
}

func (s *Server) changeGroup(ctx context.Context, c call, in *groupChangeIn) (*answer[client.Group], error) {
	rev, err := in.rev()
	if err != nil {
		return nil, err
	}
	change := identity.GroupChange{Name: in.Body.Name, Description: in.Body.Description}
	if in.Body.Members != nil {
		members, err := s.members(ctx, *in.Body.Members)
		if err != nil {
			return nil, err
		}
		change.Members = &members
	}
	g, err := s.Identity.UpdateGroup(ctx, c.Actor, c.Object.ID, rev, change)
	return s.groupAnswer(ctx, c, g, err)
}

func (s *Server) groupObject(ctx context.Context, ref string) (policy.Object, string, error) {
	g, err := s.Identity.Group(ctx, ref)
	return about("group", ref, g.ID, g.Name, err)
}

// members returns the ids of the users that ids or names stand for.
func (s *Server) members(ctx context.Context, given []string) ([]string, error) {
	if len(given) == 0 {
		return nil, nil
	}
	users, err := s.Identity.Users(ctx)
	if err != nil {
		return nil, err
	}
	ids := make(map[string]string, 2*len(users))
	for _, u := range users {
		ids[u.ID], ids[u.Name] = u.ID, u.ID
	}
	out := make([]string, len(given))
	for i, m := range given {
		name, err := identity.CanonicalName(m)
		id, ok := ids[name]
		if err != nil || !ok {
			return nil, fault.New(fault.Invalid, "member %d is no user", i+1).WithField("members").WithCure("give ids or names of users")
		}
		out[i] = id
	}
	return out, nil
}

func (s *Server) groupAnswer(ctx context.Context, c call, g identity.Group, err error) (*answer[client.Group], error) {
	if err != nil {
		return nil, err
	}
	users, err := s.Identity.Users(ctx)
	if err != nil {
		return nil, err
	}
	return &answer[client.Group]{ETag: etag(g.Rev), Body: groupOf(c.Actor, g, namesOf(users))}, nil
}

func groupOf(actor identity.Actor, g identity.Group, names map[string]string) client.Group {
	out := client.Group{ID: g.ID, Name: g.Name, Description: g.Description, Members: []client.Member{}, CreatedAt: g.CreatedAt, Rev: g.Rev,
		Can: canOf(actor, policy.Object{Kind: "group", ID: g.ID}, map[string]policy.Operation{"update": policy.GroupUpdate, "delete": policy.GroupDelete})}
	for _, id := range g.Members {
		out.Members = append(out.Members, client.Member{ID: id, Name: names[id]})
	}
	return out
}

// namesOf returns the users' names by id.
func namesOf(users []identity.User) map[string]string {
	names := make(map[string]string, len(users))
	for _, u := range users {
		names[u.ID] = u.Name
	}
	return names
}

// whole is a list that has one page only; create is the operation that adds to it.
func whole[A, B any](all []A, convert func(A) B, actor identity.Actor, create policy.Operation) *list[client.Page[B]] {
	items := make([]B, len(all))
	for i, a := range all {
		items[i] = convert(a)
	}
	return &list[client.Page[B]]{Body: client.Page[B]{Items: items, Total: int64(len(items)), AsOf: time.Now().UTC(),
		Can: canOf(actor, policy.Object{Owner: actor.ID}, map[string]policy.Operation{"create": create})}}
}
