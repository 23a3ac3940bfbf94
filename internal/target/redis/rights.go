package redis

import (
	"context"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/internal/target"
)

// Rights implements target.Comparer: everything that ACL GETUSER says of a user but for its passwords. The rules of
// commands stay one line, because their order counts.
func (t *Target) Rights(ctx context.Context, c target.Connection, by target.Login, account string) ([]string, error) {
	if err := checkUser(account); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	s, err := t.login(ctx, c, by)
	if err != nil {
		return nil, err
	}
	defer s.close()
	reply, err := s.getUser(ctx, account)
	if err != nil {
		return nil, err
	}
	var lines []string
	for i := 0; i+1 < len(reply); i += 2 {
		switch name, _ := reply[i].(string); name {
		case "passwords":
		case "flags":
			for _, flag := range texts(reply[i+1]) {
				lines = append(lines, "has the flag "+flag)
			}
		case "selectors":
			selectors, _ := reply[i+1].([]any)
			for _, selector := range selectors {
				rules, _ := selector.([]any)
				lines = append(lines, "has the selector ("+strings.Join(rulesOf(rules), "; ")+")")
			}
		default:
			lines = append(lines, rulesOf(reply[i:i+2])...)
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines), nil
}

// rulesOf says what a user or a selector of its own may do. Rules are one text or, before Redis 7, a list of patterns.
func rulesOf(reply []any) (lines []string) {
	for i := 0; i+1 < len(reply); i += 2 {
		name, _ := reply[i].(string)
		rules := texts(reply[i+1])
		if text, ok := reply[i+1].(string); ok {
			rules = strings.Fields(text)
		}
		switch name {
		case "commands":
			lines = append(lines, "may use the commands "+strings.Join(rules, " "))
		default:
			for _, rule := range rules {
				lines = append(lines, "may reach the "+name+" "+rule)
			}
		}
	}
	slices.Sort(lines)
	return lines
}
