package instance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// A FirstAdmin is what [Init] made.
type FirstAdmin struct {
	Username string
	Key      plaintext.Value
	Data     string
	RootKey  string
}

// Init makes the database and the root key in a new data folder, and the first admin, whose API key
// it returns. What is there already is kept: a folder whose making was cut short is finished, and
// one where nobody holds an admin's key any more gets a new one. Where somebody does, the error
// says so and nothing is changed. Errors have [ErrCannotOpen].
func Init(
	ctx context.Context, cfg config.Config, ask Passphrase, username string,
) (FirstAdmin, error) {
	i, err := Open(ctx, cfg, slog.New(slog.DiscardHandler), NewRootKeys(cfg, ask), Create)
	if err != nil {
		return FirstAdmin{}, err
	}
	first, err := i.firstAdmin(ctx, cfg, username)
	if err = errors.Join(err, i.Close()); err != nil {
		return FirstAdmin{}, CannotOpen(err)
	}
	return first, nil
}

func (i *Instance) firstAdmin(
	ctx context.Context, cfg config.Config, username string,
) (FirstAdmin, error) {
	if username == devUser {
		return FirstAdmin{}, fmt.Errorf(
			"the user %s is that of --dev: give the administrator another --username", devUser)
	}
	admins, err := i.Operator.ListAdmins(ctx)
	if err != nil {
		return FirstAdmin{}, err
	}
	if len(admins) > 0 {
		return FirstAdmin{}, fmt.Errorf(
			"%s has an admin already: start it with: keysake serve --data %s", cfg.Data, cfg.Data)
	}
	first := FirstAdmin{Username: username, Data: cfg.Data}
	keys, err := i.Operator.ListRootKeys(ctx)
	if err != nil {
		return FirstAdmin{}, err
	}
	for _, k := range keys {
		if k.State == vault.Primary {
			first.RootKey = k.URL
		}
	}
	first.Key, err = i.createAdmin(ctx, username, "first admin")
	return first, err
}

func (i *Instance) createAdmin(
	ctx context.Context, username, keyName string,
) (plaintext.Value, error) {
	user, userErr := vault.NewUsername(username)
	key, keyErr := vault.NewKeyName(keyName)
	if err := vault.JoinInvalid(userErr, keyErr); err != nil {
		return plaintext.Value{}, err
	}
	return i.Operator.CreateAdmin(ctx, user, key)
}
