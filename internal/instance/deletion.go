package instance

import (
	"context"

	"github.com/google/uuid"
)

// DeleteDue deletes the users whose time to be deleted has come, and returns who they were. The
// server calls it every few seconds.
func (i *Instance) DeleteDue(ctx context.Context) ([]uuid.UUID, error) {
	return i.Operator.DeleteDue(ctx)
}
