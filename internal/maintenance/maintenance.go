// Package maintenance does what the operator does on a data folder: backup, restore, the rotation of
// keys, and the doctor.
package maintenance

import (
	"context"
	"log/slog"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
)

// openSealed opens a data folder whose server may be running, and no root key.
func openSealed(ctx context.Context, cfg config.Config) (*instance.Instance, error) {
	log, roots := slog.New(slog.DiscardHandler), instance.NewRootKeys(cfg, nil)
	return instance.Open(ctx, cfg, log, roots, instance.Sealed)
}
