package mysql

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/internal/target"
)

// Rights implements target.Comparer: how an account logs in, its options, what it was granted, and its roles. An account
// with a host part of its own is refused: the name of a login of a pair is written to Secrets, and no client can log in
// as app@10.%.
func (t *Target) Rights(ctx context.Context, c target.Connection, by target.Login, account string) ([]string, error) {
	a, err := parseAccount(account)
	if err != nil {
		return nil, err
	}
	if strings.Contains(account, "@") {
		return nil, misconfigured("the logins of a pair are user names as clients give them, and "+account+" has a host part", "use accounts that may log in from everywhere: app is 'app'@'%'")
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	s, err := t.login(ctx, c, by)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := s.settle(ctx, t.timeout/2); err != nil {
		return nil, err
	}
	self := s.name == a
	u, err := s.user(ctx, a, self)
	if err != nil {
		return nil, err
	}
	lines, err := s.grants(ctx, a, self)
	if err != nil {
		return nil, err
	}
	for _, m := range u.methods {
		lines = append(lines, "logs in by "+m.plugin)
	}
	for _, o := range u.clauses() {
		lines = append(lines, "is set up with "+o)
	}
	slices.Sort(lines)
	return slices.Compact(lines), nil
}

// grants reads what a was granted itself. An account may look at its own grants without any right.
func (s *session) grants(ctx context.Context, a account, self bool) ([]string, error) {
	name := a.sql()
	if self {
		name = "CURRENT_USER"
	}
	rows, err := s.conn.QueryContext(ctx, "SHOW GRANTS FOR "+name)
	if err != nil {
		return nil, readError(err)
	}
	defer func() { _ = rows.Close() }()
	var lines []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, queryError(err)
		}
		more, ok := parseGrant(a, text)
		if !ok {
			return nil, &target.Error{Outcome: target.NotPermitted, Msg: "the grants of " + a.user + " are not understood", Cure: "compare both accounts by hand, and give the account another strategy"}
		}
		lines = append(lines, more...)
	}
	if err := rows.Err(); err != nil {
		return nil, queryError(err)
	}
	return lines, nil
}

// inQuotes is a name or a text, with its quotes.
var inQuotes = regexp.MustCompile("(?s)`(?:[^`]|``)*`|'(?:[^'\\\\]|''|\\\\.)*'")

// masked is s with each name and text made unreadable at the same length, so that a place found in it is one outside of
// quotes.
func masked(s string) string {
	return inQuotes.ReplaceAllStringFunc(s, func(q string) string { return strings.Repeat("?", len(q)) })
}

var startOfClause = regexp.MustCompile(` (?:REQUIRE|WITH|ACCOUNT|PASSWORD) `)

// clauses divides the options of an account.
func (u user) clauses() []string {
	var out []string
	starts := startOfClause.FindAllStringIndex(masked(u.options), -1)
	for i, at := range starts {
		end := len(u.options)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		out = append(out, strings.TrimSpace(u.options[at[0]:end]))
	}
	return out
}

// parseGrant makes a line of each thing that a line of SHOW GRANTS FOR a gives. It reports false for one that it does not
// understand. The hash that such a line can hold stands behind the account's name and is left out.
func parseGrant(a account, text string) (lines []string, ok bool) {
	if role, ok := strings.CutPrefix(text, "SET DEFAULT ROLE "); ok {
		role, ok = strings.CutSuffix(role, " FOR "+a.sql())
		return []string{"has the default role " + role}, ok
	}
	plain := masked(text)
	to := strings.Index(plain, " TO ")
	if !strings.HasPrefix(plain, "GRANT ") || to < 0 {
		return nil, false
	}
	given, plain, rest := text[len("GRANT "):to], plain[len("GRANT "):to], text[to+len(" TO "):]
	tail, ok := strings.CutPrefix(rest, a.sql())
	if !ok {
		return nil, false
	}
	option := ""
	if strings.Contains(masked(tail), "GRANT OPTION") {
		option = " with grant option"
	}
	on := strings.Index(plain, " ON ")
	if on < 0 { // a role
		if strings.Contains(masked(tail), "ADMIN OPTION") {
			option = " with admin option"
		}
		return []string{"is a member of " + given + option}, true
	}
	for _, right := range privileges(given[:on]) {
		if right != "USAGE" || option != "" { // which is none
			lines = append(lines, "has "+right+" on "+given[on+len(" ON "):]+option)
		}
	}
	return lines, true
}

// privileges divides a list such as "INSERT, SELECT (`a`, `b`)", into one for each column too.
func privileges(list string) (out []string) {
	plain, verb, from := masked(list)+",", "", 0
	for i, r := range plain {
		switch r {
		case '(':
			verb, from = strings.TrimSpace(list[from:i]), i+1
		case ',', ')':
			name := strings.TrimSpace(list[from:i])
			from = i + 1
			switch {
			case name != "" && verb != "":
				out = append(out, verb+" ("+name+")")
			case name != "":
				out = append(out, name)
			}
			if r == ')' {
				verb = ""
			}
		}
	}
	return out
}
