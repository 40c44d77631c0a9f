package instance

import (
	"context"

	"github.com/keysake/keysake/internal/vault"
)

// Adopt opens a database that was filled from a backup, and is not in a data folder yet. Whoever
// opened it closes it.
func Adopt(ctx context.Context, db Database, keys *Keys) (*Instance, error) {
	i := &Instance{Store: db, Keys: keys}
	i.Vault, i.Operator = vault.New(vault.Options{Store: db, Keys: keys})
	if err := i.openRootKeys(ctx); err != nil {
		return nil, err
	}
	return i, i.Operator.OpenInstanceKeys(ctx)
}
