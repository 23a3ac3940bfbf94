package identity

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
)

const maxMembers = 10_000

// Group is a set of users that grants can be given to.
type Group struct {
	ID          string
	Name        string // canonical, unique among groups
	Description string
	Members     []string // ids of users, sorted
	CreatedAt   time.Time
	Rev         int64
}

// GroupChange is what to change of a group; nil fields stay as they are.
type GroupChange struct {
	Name, Description *string
	Members           *[]string
}

// Group returns the group with the id, or else the one with the name in any spelling. It fails with fault.NotFound.
func (s *Service) Group(ctx context.Context, idOrName string) (Group, error) {
	key, err := CanonicalName(idOrName)
	if err != nil {
		return Group{}, fault.New(fault.NotFound, "there is no such group")
	}
	return s.Store.Group(ctx, key)
}

// Groups returns all groups, sorted by name.
func (s *Service) Groups(ctx context.Context) ([]Group, error) { return s.Store.Groups(ctx) }

// CreateGroup makes a group. It fails with fault.Invalid, naming the field, and with fault.Conflict when the name is taken.
func (s *Service) CreateGroup(ctx context.Context, actor Actor, name, description string, members []string) (Group, error) {
	g, err := GroupChange{&name, &description, &members}.apply(Group{ID: newID(), CreatedAt: s.now(), Rev: 1})
	if err != nil {
		return Group{}, err
	}
	if err := s.Store.AddGroup(ctx, g, onGroup(actor, "group.create", g)); err != nil {
		return Group{}, err
	}
	return g, nil
}

// UpdateGroup changes a group; members gain and lose its grants from their next request on. It fails with
// fault.NotFound, with fault.Stale when rev is not the stored one, and as CreateGroup does.
func (s *Service) UpdateGroup(ctx context.Context, actor Actor, id string, rev int64, c GroupChange) (Group, error) {
	g, err := s.Store.Group(ctx, id)
	if err != nil {
		return Group{}, err
	}
	if g, err = c.apply(g); err != nil {
		return Group{}, err
	}
	g.Rev = rev
	if err := s.Store.UpdateGroup(ctx, g, onGroup(actor, "group.update", g)); err != nil {
		return Group{}, err
	}
	g.Rev++
	return g, nil
}

// DeleteGroup removes a group with its memberships and grants. It fails with fault.NotFound or fault.Stale.
func (s *Service) DeleteGroup(ctx context.Context, actor Actor, id string, rev int64) error {
	g, err := s.Store.Group(ctx, id)
	if err != nil {
		return err
	}
	return s.Store.DeleteGroup(ctx, g.ID, rev, onGroup(actor, "group.delete", g))
}

func (c GroupChange) apply(g Group) (_ Group, err error) {
	if c.Name != nil {
		if g.Name, err = nameToGive(*c.Name); err != nil {
			return Group{}, err
		}
	}
	if c.Description != nil {
		if g.Description, err = cleanText("description", *c.Description); err != nil {
			return Group{}, err
		}
	}
	if c.Members != nil {
		if len(*c.Members) > maxMembers {
			return Group{}, fault.New(fault.TooLarge, "a group has at most %d members", maxMembers).WithField("members").
				WithCure("make several groups")
		}
		g.Members = slices.Clone(*c.Members)
		slices.Sort(g.Members)
		g.Members = slices.Compact(g.Members)
	}
	return g, nil
}

func onGroup(actor Actor, action string, g Group) Evidence {
	return Evidence{Actor: actor, Action: action, Kind: "group", ID: g.ID, Name: g.Name,
		Details: map[string]string{"members": strconv.Itoa(len(g.Members))}}
}
