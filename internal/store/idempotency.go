package store

import (
	"bytes"
	"context"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
)

// Reply is what was answered to a request. It is only kept for answers that hold no value.
type Reply struct {
	Status int
	Body   []byte
}

// ClaimKey says what to do with a request that carries key. With fresh true the caller has the key: it does the work and
// calls [Store.FinishKey]. Otherwise stored is what to answer. hash is of the whole request. It fails with fault.Conflict,
// code "in-progress", while the first request is still running, and code "idempotency-key-reused" when the key came with
// another route or hash. Keys of different actors are strangers.
func (s *Store) ClaimKey(ctx context.Context, actorID, key, route string, hash []byte) (stored *Reply, fresh bool, err error) {
	err = s.write(ctx, func(tx *Tx) error {
		stored, fresh = nil, false // the transaction may run again
		n, err := exec(ctx, tx, `INSERT INTO idempotency_keys (actor_id, key, route, request_hash, status, body, created_at)
			VALUES ($1,$2,$3,$4,0,$5,$6) ON CONFLICT (actor_id, key) DO NOTHING`, actorID, clean(key), route, hash, []byte{}, micro(time.Now()))
		if err != nil || n == 1 {
			fresh = n == 1
			return err
		}
		stored, err = repeated(ctx, tx, actorID, key, route, hash)
		return err
	})
	return stored, fresh && err == nil, err
}

// repeated returns what was answered when the key came first.
func repeated(ctx context.Context, tx *Tx, actorID, key, route string, hash []byte) (*Reply, error) {
	type row struct {
		Reply
		route string
		hash  []byte
	}
	first, err := queryOne(ctx, tx, "key", func(r scanner) (x row, err error) { return x, r.Scan(&x.route, &x.hash, &x.Status, &x.Body) },
		`SELECT route, request_hash, status, body FROM idempotency_keys WHERE actor_id = $1 AND key = $2`, actorID, clean(key))
	switch {
	case err != nil:
		return nil, err
	case first.route != route || !bytes.Equal(first.hash, hash):
		return nil, fault.New(fault.Conflict, "the idempotency key was used for another request").WithCode("idempotency-key-reused").
			WithCure("use a new key for a new request").WithUnchanged("nothing was done")
	case first.Status == 0:
		return nil, fault.New(fault.Conflict, "the same request is still running").WithCode("in-progress").
			WithCure("wait for its answer, then send it again").WithUnchanged("nothing more was done").WithRetryAfter(time.Second)
	}
	return &first.Reply, nil
}

// FinishKey stores what a claimed request was answered. status 0 gives the key back, so that the request can be sent
// again: for work that failed without an effect. A key that nobody has claimed is left alone.
func (s *Store) FinishKey(ctx context.Context, actorID, key string, status int, body []byte) error {
	return s.write(ctx, func(tx *Tx) error {
		if status == 0 {
			_, err := exec(ctx, tx, `DELETE FROM idempotency_keys WHERE actor_id = $1 AND key = $2 AND status = 0`, actorID, clean(key))
			return err
		}
		if body == nil {
			body = []byte{}
		}
		_, err := exec(ctx, tx, `UPDATE idempotency_keys SET status = $3, body = $4 WHERE actor_id = $1 AND key = $2 AND status = 0`,
			actorID, clean(key), status, body)
		return err
	})
}

// DropOldKeys forgets the keys that were claimed before a time, and those of requests that were not answered and were
// claimed before dead, since whoever worked on them has died. It returns how many.
func (s *Store) DropOldKeys(ctx context.Context, before, dead time.Time) (n int64, err error) {
	err = s.write(ctx, func(tx *Tx) error {
		n, err = exec(ctx, tx, `DELETE FROM idempotency_keys WHERE created_at < $1 OR created_at < $2 AND status = 0`, micro(before), micro(dead))
		return err
	})
	return n, err
}
