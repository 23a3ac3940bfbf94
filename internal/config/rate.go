package config

import (
	"os"
	"strconv"

	"github.com/keyturn/keyturn/internal/fault"
)

// readRates takes ActorRate and AnonymousRate from the environment where they are not set.
func (c *Server) readRates() error {
	for env, field := range map[string]*int{"KEYTURN_ACTOR_RATE": &c.ActorRate, "KEYTURN_ANONYMOUS_RATE": &c.AnonymousRate} {
		text := os.Getenv(env)
		if *field != 0 || text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fault.New(fault.Invalid, "%s is no number of requests a second", env).WithCure("set it to a whole number from 1 on, or to nothing")
		}
		*field = n
	}
	return nil
}
