package vault

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/singleflight"
)

// sharedCallTimeout bounds a shared call. It is longer than any caller waits.
const sharedCallTimeout = time.Minute

// sharedCall runs fn once for concurrent callers of one key. A caller that gives up does not cancel
// it.
func sharedCall[T any](
	ctx context.Context, calls *singleflight.Group, key string, fn func(context.Context) (T, error),
) (T, error) {
	result := calls.DoChan(key, func() (_ any, err error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sharedCallTimeout)
		defer cancel()
		defer func() {
			if recover() != nil { // it would end the process, and its text may quote a key
				err = errors.New("opening a key panicked")
			}
		}()
		return fn(ctx)
	})
	select {
	case r := <-result:
		value, _ := r.Val.(T)
		return value, r.Err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
