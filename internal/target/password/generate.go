package password

import (
	"crypto/rand"
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

// plan is a policy brought down to the characters that a type's limits leave, and the number of passwords that follow it.
//
// Passwords are drawn in two steps: how many characters come from each class, weighted by the number of passwords that
// have just these counts; then their order and the characters themselves. So every password is equally likely, and
// none is drawn in vain however much the policy requires.
type plan struct {
	length int
	sets   []set
	firsts []first
	total  *big.Int
}

// set is a class with what is left of it.
type set struct {
	class    Class
	members  string
	required int
}

// first is a choice of class for the first character.
type first struct {
	set     int
	members string
	rest    table
	ways    *big.Int
}

// table holds at [k][m] the number of ways to fill m places with characters of sets[k:] as required.
type table [][]*big.Int

func (p Policy) plan(l target.Limits) (plan, error) {
	pl := plan{length: p.Length, total: new(big.Int)}
	if err := p.checkWords(l); err != nil {
		return pl, err
	}
	for _, c := range Classes() {
		if !slices.Contains(p.alphabets(), c) {
			continue
		}
		s := set{class: c, members: without(c.Characters(), p.Exclude+l.Forbidden), required: p.Require[c]}
		if s.required > 0 && s.members == "" {
			return pl, invalid("require", "the policy asks for %s and leaves none of them", c)
		}
		if s.members != "" {
			pl.sets = append(pl.sets, s)
		}
	}
	if len(pl.sets) == 0 {
		return pl, invalid("alphabets", "the policy leaves no character to choose from")
	}
	for i, s := range pl.sets {
		members := without(s.members, l.ForbiddenFirst)
		if members == "" || len(p.First) > 0 && !slices.Contains(p.First, s.class) {
			continue
		}
		f := first{set: i, members: members, rest: pl.count(i)}
		f.ways = new(big.Int).Mul(big.NewInt(int64(len(members))), f.rest[0][p.Length-1])
		pl.firsts = append(pl.firsts, f)
		pl.total.Add(pl.total, f.ways)
	}
	switch {
	case len(pl.firsts) == 0:
		return pl, invalid("first", "the policy leaves no character for the first place")
	case pl.total.Sign() == 0:
		return pl, invalid("require", "the policy asks for more characters than the password is long")
	}
	return pl, nil
}

// required returns how many characters sets[k] still owes after the first character came from sets[first].
func (pl plan) required(k, first int) int {
	n := pl.sets[k].required
	if k == first && n > 0 {
		n--
	}
	return n
}

// count fills the table for the places after the first, which came from sets[first].
func (pl plan) count(first int) table {
	n := pl.length - 1
	t := make(table, len(pl.sets)+1)
	t[len(pl.sets)] = zeros(n + 1)
	t[len(pl.sets)][0].SetInt64(1)
	for k := len(pl.sets) - 1; k >= 0; k-- {
		t[k] = zeros(n + 1)
		for m := range t[k] {
			for w := range pl.weights(t, k, m, pl.required(k, first)) {
				t[k][m].Add(t[k][m], w)
			}
		}
	}
	return t
}

// weights yields, for j = required, required+1, … m, the number of ways to fill m places with j characters of sets[k]
// and the others of sets[k+1:]. Each number is good until the next.
func (pl plan) weights(t table, k, m, required int) func(func(*big.Int) bool) {
	return func(yield func(*big.Int) bool) {
		size := big.NewInt(int64(len(pl.sets[k].members)))
		power := new(big.Int).Exp(size, big.NewInt(int64(required)), nil)
		places := new(big.Int).Binomial(int64(m), int64(required))
		w := new(big.Int)
		for j := required; j <= m; j++ {
			w.Mul(places, power)
			if !yield(w.Mul(w, t[k+1][m-j])) {
				return
			}
			power.Mul(power, size)
			places.Mul(places, big.NewInt(int64(m-j))).Quo(places, big.NewInt(int64(j+1)))
		}
	}
}

func zeros(n int) []*big.Int {
	z := make([]*big.Int, n)
	for i := range z {
		z[i] = new(big.Int)
	}
	return z
}

// source is where values that follow a policy come from, but for its forbidden texts.
type source interface {
	draw() ([]byte, error)
	bits() float64
}

func (p Policy) source(l target.Limits) (source, error) {
	if p.Words == 0 {
		return p.plan(l)
	}
	if err := p.checkWords(l); err != nil {
		return nil, err
	}
	return p.phrase(l)
}

// maxDraws is how often a value with a forbidden text is drawn again. Texts that one in two values had would get past it
// once in 2^100.
const maxDraws = 100

// Generate returns a random value that follows p within l; every value that does is equally likely. It fails with a fault
// of kind Invalid when there is none.
func Generate(p Policy, l target.Limits) (vault.Value, error) {
	from, err := p.source(l)
	if err != nil {
		return vault.Value{}, err
	}
	for range maxDraws {
		b, err := from.draw()
		if err != nil {
			return vault.Value{}, fmt.Errorf("generate password: %w", err)
		}
		if !p.forbids(b) {
			return vault.NewValue(b), nil
		}
		clear(b)
	}
	return vault.Value{}, invalid("forbid", "nearly every value contains a text that the policy forbids")
}

func (pl plan) draw() ([]byte, error) {
	at, err := rand.Int(rand.Reader, pl.total)
	if err != nil {
		return nil, err
	}
	f := pl.firsts[0]
	for _, f = range pl.firsts {
		if at.Cmp(f.ways) < 0 {
			break
		}
		at.Sub(at, f.ways)
	}
	b := make([]byte, 0, pl.length)
	c, err := below(len(f.members))
	if err != nil {
		return nil, err
	}
	b = append(b, f.members[c])
	for k, m := 0, pl.length-1; k < len(pl.sets); k++ {
		j, err := pl.drawCount(f, k, m)
		if err != nil {
			return nil, err
		}
		m -= j
		for range j {
			c, err := below(len(pl.sets[k].members))
			if err != nil {
				return nil, err
			}
			b = append(b, pl.sets[k].members[c])
		}
	}
	return b, shuffle(b[1:])
}

// drawCount draws how many of the next m places go to sets[k].
func (pl plan) drawCount(f first, k, m int) (int, error) {
	at, err := rand.Int(rand.Reader, f.rest[k][m])
	if err != nil {
		return 0, err
	}
	j := pl.required(k, f.set)
	for w := range pl.weights(f.rest, k, m, j) {
		if at.Cmp(w) < 0 {
			break
		}
		at.Sub(at, w)
		j++
	}
	return j, nil
}

func shuffle(b []byte) error {
	for i := len(b) - 1; i > 0; i-- {
		j, err := below(i + 1)
		if err != nil {
			return err
		}
		b[i], b[j] = b[j], b[i]
	}
	return nil
}

// below returns a random number from 0 to n-1, each equally likely.
func below(n int) (int, error) {
	i, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		return 0, err
	}
	return int(i.Int64()), nil
}

// EntropyBits returns how hard a value generated by p within l is to guess, in bits: the logarithm of the number of values
// that follow the policy. The few that its forbidden texts take away are not deducted. It fails like [Generate].
func EntropyBits(p Policy, l target.Limits) (float64, error) {
	from, err := p.source(l)
	if err != nil {
		return 0, err
	}
	return from.bits(), nil
}

func (pl plan) bits() float64 {
	shift := max(pl.total.BitLen()-60, 0) // keeps the number within a float64, whose precision is enough for bits
	top := new(big.Int).Rsh(pl.total, uint(shift))
	return math.Log2(float64(top.Int64())) + float64(shift)
}
