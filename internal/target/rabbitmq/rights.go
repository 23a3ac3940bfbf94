package rabbitmq

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/keyturn/keyturn/internal/target"
)

// permission is what a user may do in a vhost: with what it names, or with topics of one exchange.
type permission struct {
	VHost     string `json:"vhost"`
	Exchange  string `json:"exchange"`
	Configure string `json:"configure"`
	Write     string `json:"write"`
	Read      string `json:"read"`
}

// Rights implements target.Comparer: a user's tags, its permissions and topic permissions in each vhost, and its limits.
// The server shows them to administrators alone.
func (t *Target) Rights(ctx context.Context, c target.Connection, by target.Login, account string) ([]string, error) {
	if err := checkUser(account); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	a, err := t.open(c, by)
	if err != nil {
		return nil, err
	}
	defer a.close()
	u, err := a.user(ctx, account)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, tag := range tagsOf(u.Tags) {
		lines = append(lines, "has the tag "+tag)
	}
	var permissions, topics []permission
	if err := a.list(ctx, &permissions, "api", "users", account, "permissions"); err != nil {
		return nil, err
	}
	for _, p := range permissions {
		in := fmt.Sprintf(" in vhost %q", p.VHost)
		lines = append(lines, fmt.Sprintf("may configure %q", p.Configure)+in, fmt.Sprintf("may write %q", p.Write)+in, fmt.Sprintf("may read %q", p.Read)+in)
	}
	if err := a.list(ctx, &topics, "api", "users", account, "topic-permissions"); err != nil {
		return nil, err
	}
	for _, p := range topics {
		at := fmt.Sprintf(" at exchange %q in vhost %q", p.Exchange, p.VHost)
		lines = append(lines, fmt.Sprintf("may write the topics %q", p.Write)+at, fmt.Sprintf("may read the topics %q", p.Read)+at)
	}
	var limits []struct {
		Value map[string]int64 `json:"value"`
	}
	if err := a.list(ctx, &limits, "api", "user-limits", account); err != nil {
		return nil, err
	}
	for _, limit := range limits {
		for name, value := range limit.Value {
			lines = append(lines, fmt.Sprintf("has the limit %s of %d", name, value))
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines), nil
}

// list reads a list of the server's into out.
func (a *api) list(ctx context.Context, out any, path ...string) error {
	got, err := a.do(ctx, http.MethodGet, nil, path...)
	if err != nil {
		return unreachable(err)
	}
	if got.status != http.StatusOK {
		return userError(got)
	}
	if json.Unmarshal(got.body, out) != nil {
		return notManagement(got)
	}
	return nil
}
