package server

import (
	"context"
	"log/slog"

	"github.com/keysake/keysake/internal/instance"
)

// warnForeign warns of root keys that wrap owner keys though the configuration does not name them.
func warnForeign(ctx context.Context, i *instance.Instance, log *slog.Logger) {
	for _, k := range i.Foreign {
		log.ErrorContext(ctx, "owner keys are wrapped by a root key that is not configured: "+
			"they do not open", "root_key", k.ID.String(), "owner_keys", k.OwnerKeys)
	}
}

// reloadKeys reads the keys file again. If a key that it names does not open, the keys that are
// open stay.
func (s *server) reloadKeys(ctx context.Context) {
	if err := s.instance.Reload(ctx); err != nil {
		s.log.ErrorContext(ctx, "the keys file was read again: a key does not open", "cause", err)
		return
	}
	s.log.InfoContext(ctx, "the keys file was read again")
	warnForeign(ctx, s.instance, s.log)
}
