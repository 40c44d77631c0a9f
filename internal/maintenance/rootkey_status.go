package maintenance

import (
	"context"
	"errors"
	"time"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/vault"
)

// A RootKey is what is public about a root key.
type RootKey struct {
	ID        string    `json:"id"`
	State     string    `json:"state"` // primary, replaced or retired
	OwnerKeys int       `json:"owner_keys"`
	Since     time.Time `json:"since"` // when it came to that state
	CreatedAt time.Time `json:"created_at"`
	URL       string    `json:"url"`
}

// ListRootKeys returns the root keys of a data folder, oldest first. It opens none of them, so that
// it works when one is lost. An error wraps [instance.ErrCannotOpen].
func ListRootKeys(ctx context.Context, cfg config.Config) (found []RootKey, err error) {
	i, err := openSealed(ctx, cfg)
	if err != nil {
		return nil, err
	}
	keys, err := i.Operator.ListRootKeys(ctx)
	if err = errors.Join(err, i.Close()); err != nil {
		return nil, instance.CannotOpen(err)
	}
	for _, k := range keys {
		since := k.CreatedAt
		switch k.State {
		case vault.Replaced:
			since = k.ReplacedAt
		case vault.Retired:
			since = k.RetiredAt
		case vault.Primary:
		}
		found = append(found, RootKey{
			ID:        k.ID.String(),
			State:     string(k.State),
			OwnerKeys: k.OwnerKeys,
			Since:     since,
			CreatedAt: k.CreatedAt,
			URL:       k.URL,
		})
	}
	return found, nil
}
