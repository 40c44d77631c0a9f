// Package maintenance is what the operator does with a data folder: backup, restore, rotation of
// keys, and doctor.
package maintenance

import (
	"context"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
)

// openSealed opens a data folder, whose server may be running, without its root keys.
func openSealed(ctx context.Context, cfg config.Config) (*instance.Instance, error) {
	return instance.Open(ctx, cfg, instance.NewKeys(cfg, nil), instance.Sealed)
}
