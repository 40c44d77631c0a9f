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

// The user of a development server, and the file in the data folder with that user's API key.
const (
	devUser    = "dev"
	devKeyFile = "dev-api-key"
)

// PrepareDev makes sure that the user dev exists and that a file in the data folder has a working
// API key of that user. It returns the file's path.
func (i *Instance) PrepareDev(ctx context.Context, cfg config.Config) (keyFile string, err error) {
	keyFile, err = filepath.Abs(filepath.Join(cfg.Data, devKeyFile))
	if err != nil {
		return "", err
	}
	admins, err := i.Operator.ListAdmins(ctx)
	if err != nil {
		return "", err
	}
	if len(admins) > 0 && !slices.Contains(admins, devUser) {
		return "", fmt.Errorf("%s was not created by --dev, which would store an admin's API key "+
			"in it: omit --dev, or choose another --data", cfg.Data)
	}
	stored, err := os.ReadFile(keyFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if _, err := i.Vault.Authenticate(ctx, plaintext.Own(stored)); err == nil {
		return keyFile, nil
	}
	key, err := i.createAdmin(ctx, devUser, "development")
	if err != nil {
		return "", err
	}
	return keyFile, privatefile.Replace(keyFile, privatefile.Content(key.Reveal()))
}
