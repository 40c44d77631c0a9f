package maintenance

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/vault"
)

// The states of a root key.
const (
	statePrimary      = "primary"        // the configuration names it first: it wraps
	stateConfigured   = "configured"     // the configuration names it: it opens
	stateUnconfigured = "not configured" // only the database knows it: it is never opened
)

// A RootKey is what is public about a root key.
type RootKey struct {
	ID        string     `json:"id"` // empty if it is not known, such as of a file that is missing
	State     string     `json:"state"`
	OwnerKeys int        `json:"owner_keys"`
	CreatedAt *time.Time `json:"created_at"` // nil if the database does not know it
	URL       string     `json:"url"`        // empty for one that is not configured
}

// ListRootKeys returns the root keys that the configuration names, in its order, and then others
// that the database knows. It asks no key service and for no passphrase, and works when a key is
// lost. An error wraps [instance.ErrCannotOpen].
func ListRootKeys(ctx context.Context, cfg config.Config) (found []RootKey, err error) {
	i, err := openSealed(ctx, cfg)
	if err != nil {
		return nil, err
	}
	known, err := i.Operator.ListRootKeys(ctx)
	urls, _, named := i.Keys.Named()
	if err = errors.Join(err, named); err == nil {
		found = listRootKeys(ctx, i.Keys, urls, known)
	}
	if err = errors.Join(err, i.Close()); err != nil {
		return nil, instance.CannotOpen(err)
	}
	return found, nil
}

func listRootKeys(
	ctx context.Context, keys *instance.Keys, urls []string, known []vault.StoredRootKey,
) (found []RootKey) {
	rows := map[uuid.UUID]vault.StoredRootKey{}
	for _, k := range known {
		rows[k.ID] = k
	}
	for n, url := range urls {
		state := stateConfigured
		if n == 0 {
			state = statePrimary
		}
		shown := RootKey{State: state, URL: url}
		if id, err := keys.RootKeyID(ctx, url, known); err == nil {
			shown.ID = id.String()
			shown.describe(rows, id)
			delete(rows, id)
		}
		found = append(found, shown)
	}
	for _, k := range known {
		if _, left := rows[k.ID]; left {
			shown := RootKey{ID: k.ID.String(), State: stateUnconfigured}
			shown.describe(rows, k.ID)
			found = append(found, shown)
		}
	}
	return found
}

func (k *RootKey) describe(rows map[uuid.UUID]vault.StoredRootKey, id uuid.UUID) {
	if row, known := rows[id]; known {
		k.OwnerKeys, k.CreatedAt = row.OwnerKeys, &row.CreatedAt
	}
}
