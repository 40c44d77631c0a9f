package instance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/plaintext"
)

// The development server's user, and the file with that user's API key.
const (
	devUser    = "dev"
	devKeyFile = "dev-api-key"
)

// PrepareDev makes sure that there is a user dev, and a working API key of that user in a file of
// the data folder, whose path it returns. Its errors wrap [ErrCannotOpen].
func (i *Instance) PrepareDev(ctx context.Context, cfg config.Config) (keyFile string, err error) {
	keyFile, err = i.prepareDev(ctx, cfg)
	if err != nil {
		return "", CannotOpen(err)
	}
	return keyFile, nil
}

func (i *Instance) prepareDev(ctx context.Context, cfg config.Config) (string, error) {
	path, err := filepath.Abs(filepath.Join(cfg.Data, devKeyFile))
	if err != nil {
		return "", err
	}
	admins, err := i.Operator.ListAdmins(ctx)
	if err != nil {
		return path, err
	}
	if len(admins) > 0 && !slices.Contains(admins, devUser) {
		return path, fmt.Errorf(
			"%s was not made by --dev: it would get an admin whose key lies beside the data. "+
				"Leave --dev out, or give another --data",
			cfg.Data,
		)
	}
	stored, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	if _, err := i.Vault.Authenticate(ctx, plaintext.Own(stored)); err == nil {
		return path, nil
	}
	key, err := i.createAdmin(ctx, devUser, "development")
	if err != nil {
		return path, err
	}
	return path, privatefile.Replace(path, privatefile.Content(key.Reveal()))
}
