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

// DeleteUser disables a user, and has the server delete the user when the configured delay is over,
// until [KeepUser] calls that off. With now, or without a delay, it deletes the user.
func DeleteUser(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, nameOrID string, now bool,
) error {
	if now {
		return changeUser(ctx, cfg, ask, nameOrID, (*vault.Operator).DeleteUser)
	}
	return changeUser(ctx, cfg, ask, nameOrID, (*vault.Operator).DeleteUserLater)
}

// KeepUser calls off a deletion that is not done yet. The user stays disabled.
func KeepUser(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, nameOrID string,
) error {
	return changeUser(ctx, cfg, ask, nameOrID, (*vault.Operator).KeepUser)
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
