package maintenance

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/vault"
)

// DisableUser stops every API key of a user, as the operator. A server may be running, and lets
// none of them in from then on.
func DisableUser(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, nameOrID string,
) error {
	return changeUser(ctx, cfg, ask, nameOrID, (*vault.Operator).DisableUser)
}

// EnableUser lets the API keys of a user who was disabled work again.
func EnableUser(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, nameOrID string,
) error {
	return changeUser(ctx, cfg, ask, nameOrID, (*vault.Operator).EnableUser)
}

func changeUser(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, nameOrID string,
	change func(*vault.Operator, context.Context, uuid.UUID) error,
) error {
	return withShared(ctx, cfg, ask, func(i *instance.Instance) error {
		user, err := i.Operator.FindUser(ctx, nameOrID)
		if errors.Is(err, vault.ErrNotFound) {
			return errors.New("no such user")
		}
		if err != nil {
			return err
		}
		return change(i.Operator, ctx, user)
	})
}
