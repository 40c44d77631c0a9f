package doctor

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/seal"
)

// Verify is [Examine] of everything in src, from which the rows of some users were taken. It
// returns the checks that failed, and the users of whom something does not verify.
func Verify(
	ctx context.Context, src backup.Source, roots map[uuid.UUID]seal.RootKey, keys anchor.Keys,
	without []uuid.UUID,
) (failed []Check, users []uuid.UUID, err error) {
	e := &examination{src: src, roots: roots, instanceKeys: keys, without: without}
	checks, err := e.examine(ctx, All)
	for _, c := range checks {
		if c.Status == Failed {
			failed = append(failed, c)
		}
	}
	return failed, e.broken, err
}
