package server

import (
	"context"
	"time"
)

// deletionRetry is how long after a failure users who are to be deleted are tried again.
const deletionRetry = 10 * time.Minute

// deleteDue deletes the users whose time to be deleted has come. A failure is logged, and tried
// again.
func (s *server) deleteDue(ctx context.Context) {
	if s.instance.Store.ReadOnly() || time.Now().Before(s.deletionsDue) {
		return
	}
	deleted, err := s.instance.DeleteDue(ctx)
	for _, user := range deleted {
		s.log.InfoContext(ctx, "a user was deleted: the time to call that off is over",
			"user", user)
	}
	if err != nil && ctx.Err() == nil {
		s.deletionsDue = time.Now().Add(deletionRetry)
		s.log.WarnContext(ctx, "users who are to be deleted were not", "cause", err)
	}
}
