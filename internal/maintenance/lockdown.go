package maintenance

import (
	"context"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/rootkey"
)

// SetLockdown begins or lifts a lockdown. A server may be running, and heeds it within a second.
func SetLockdown(ctx context.Context, cfg config.Config, ask rootkey.Ask, on bool) error {
	return withShared(ctx, cfg, ask, func(i *instance.Instance) error {
		if on {
			return i.Operator.LockDown(ctx)
		}
		return i.Operator.LiftLockdown(ctx)
	})
}
