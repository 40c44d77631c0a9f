package instance

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// NewAdminKey creates an API key with every scope for a user that exists, at the machine itself,
// and returns the user's name with it. An empty username stands for the only admin. No server may
// run, unless the database is shared. It opens the root key, which whoever holds only the data
// folder lacks. The user's audit log says that the operator created the key. An error wraps
// [ErrCannotOpen].
func NewAdminKey(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, username string,
) (string, plaintext.Value, error) {
	i, err := Open(ctx, cfg, NewKeys(cfg, ask), Alone(cfg))
	if err != nil {
		return "", plaintext.Value{}, err
	}
	username, key, err := i.newAdminKey(ctx, username)
	if err = errors.Join(err, i.Close()); err != nil {
		return "", plaintext.Value{}, CannotOpen(err)
	}
	return username, key, nil
}

func (i *Instance) newAdminKey(
	ctx context.Context, username string,
) (string, plaintext.Value, error) {
	username, err := i.FindAdmin(ctx, username)
	if err != nil {
		return "", plaintext.Value{}, err
	}
	key, err := i.CreateAdmin(ctx, username, "from the operator")
	return username, key, err
}

// FindAdmin returns the name of a user who exists, and the only admin's for an empty name.
func (i *Instance) FindAdmin(ctx context.Context, username string) (string, error) {
	if username == "" {
		admins, err := i.Operator.ListAdmins(ctx)
		switch {
		case err != nil:
			return "", err
		case len(admins) == 0:
			return "", errors.New(
				"no user has an active API key of an administrator: give --username")
		case len(admins) > 1:
			return "", fmt.Errorf(
				"there are several administrators: give --username with one of %s",
				strings.Join(admins, ", "))
		}
		username = admins[0]
	}
	_, err := i.Operator.FindUser(ctx, username)
	if errors.Is(err, vault.ErrNotFound) {
		err = fmt.Errorf("there is no user %s: give --username with one that exists", username)
	}
	return username, err
}
