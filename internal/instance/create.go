package instance

import (
	"context"
	"errors"
	"fmt"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// A FirstAdmin is the administrator that [Init] creates.
type FirstAdmin struct {
	Username string
	Key      plaintext.Value // the API key
	Data     string          // the data folder
	Keys     string          // the keys file
	RootKey  string          // the URL of the root key
}

// Init creates the data folder with its database and its root key, and the first admin. It keeps
// what already exists: it completes a folder whose creation was interrupted, and creates a new
// admin where no admin has an active API key. An error wraps [ErrCannotOpen]. Where there is an
// admin, Init fails and changes nothing.
func Init(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, username string,
) (FirstAdmin, error) {
	i, err := Open(ctx, cfg, NewKeys(cfg, ask), Create)
	if err != nil {
		return FirstAdmin{}, err
	}
	first, err := i.createFirstAdmin(ctx, cfg, username)
	if err = errors.Join(err, i.Close()); err != nil {
		return FirstAdmin{}, CannotOpen(err)
	}
	return first, nil
}

func (i *Instance) createFirstAdmin(
	ctx context.Context, cfg config.Config, username string,
) (FirstAdmin, error) {
	if username == devUser {
		return FirstAdmin{}, fmt.Errorf(
			"the user name %s is reserved for --dev: choose another --username", devUser)
	}
	admins, err := i.Operator.ListAdmins(ctx)
	if err != nil {
		return FirstAdmin{}, err
	}
	if len(admins) > 0 {
		return FirstAdmin{}, fmt.Errorf(
			"%s already has an admin: start it with keysake serve --data %s; "+
				"if the API key is lost, keysake admin-key creates a new one", cfg.Data, cfg.Data)
	}
	file, err := cfg.KeysFile()
	if err != nil {
		return FirstAdmin{}, err
	}
	first := FirstAdmin{Username: username, Data: cfg.Data, Keys: file}
	urls, _, err := i.Keys.Named()
	if err != nil {
		return FirstAdmin{}, err
	}
	first.RootKey = urls[0]
	first.Key, err = i.CreateAdmin(ctx, username, "first admin")
	return first, err
}

// CreateAdmin makes an API key with every scope for a user, and the user if there is none.
func (i *Instance) CreateAdmin(
	ctx context.Context, username, keyName string,
) (plaintext.Value, error) {
	user, userErr := vault.NewUsername(username)
	key, keyErr := vault.NewKeyName(keyName)
	if err := vault.JoinInvalid(userErr, keyErr); err != nil {
		return plaintext.Value{}, err
	}
	return i.Operator.CreateAdmin(ctx, user, key)
}
