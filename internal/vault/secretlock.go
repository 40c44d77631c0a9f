package vault

import (
	"context"

	"github.com/google/uuid"
)

// secretLocks let updates of one secret take turns within this process, so that each finds the
// version that it was prepared for. Secrets share them: there is no entry for each.
type secretLocks [256]chan struct{}

func newSecretLocks() *secretLocks {
	var locks secretLocks
	for i := range locks {
		locks[i] = make(chan struct{}, 1)
	}
	return &locks
}

// acquire waits for the turn of an update, and returns the function that ends it.
func (l *secretLocks) acquire(ctx context.Context, secret uuid.UUID) (release func(), err error) {
	lock := l[secret[len(secret)-1]]
	select {
	case lock <- struct{}{}:
		return func() { <-lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
