package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// A FirstKey is what [Init] made.
type FirstKey struct {
	Username string
	Key      plaintext.Value
	Data     string
	RootKey  string
}

// Init makes the database and the root key in a new data folder, and the first admin, whose API key
// it returns. What is there already is kept: a folder whose making was cut short is finished, and
// one where nobody holds an admin's key any more gets a new one. Where somebody does, the error
// says so and nothing is changed. Errors have [ErrCannotStart].
func Init(
	ctx context.Context,
	cfg config.Config,
	ask Passphrase,
	username string,
) (FirstKey, error) {
	d, err := openFolder(ctx, cfg, slog.New(slog.DiscardHandler), ask, creating)
	if err != nil {
		return FirstKey{}, cannotStart(err)
	}
	first, err := firstAdmin(ctx, cfg, d, username)
	if err = errors.Join(err, d.close()); err != nil {
		return FirstKey{}, cannotStart(err)
	}
	return first, nil
}

func firstAdmin(
	ctx context.Context,
	cfg config.Config,
	d *data,
	username string,
) (FirstKey, error) {
	if username == devUser {
		return FirstKey{}, fmt.Errorf(
			"the user %s is that of --dev: give the administrator another --username",
			devUser,
		)
	}
	admins, err := d.vault.Admins(ctx)
	if err != nil {
		return FirstKey{}, err
	}
	if len(admins) > 0 {
		return FirstKey{}, fmt.Errorf(
			"%s has an admin already: start it with: keysake serve --data %s",
			cfg.Data,
			cfg.Data,
		)
	}
	first := FirstKey{Username: username, Data: cfg.Data}
	keys, err := d.vault.ListRootKeys(ctx)
	if err != nil {
		return FirstKey{}, err
	}
	for _, k := range keys {
		if k.State == vault.Primary {
			first.RootKey = k.URL
		}
	}
	first.Key, err = d.vault.Bootstrap(ctx, username, "first admin")
	return first, err
}

// The development server's user, and the file with that user's API key.
const (
	devUser    = "dev"
	devKeyFile = "dev-api-key"
)

// devHint is what the development server tells at its start.
type devHint struct{ keyFile string }

// prepareDev makes sure of a user dev and of a working API key in the data folder.
func prepareDev(ctx context.Context, cfg config.Config, d *data) (devHint, error) {
	path, err := filepath.Abs(filepath.Join(cfg.Data, devKeyFile))
	if err != nil {
		return devHint{}, err
	}
	hint := devHint{keyFile: path}
	admins, err := d.vault.Admins(ctx)
	if err != nil {
		return hint, err
	}
	if len(admins) > 0 && !slices.Contains(admins, devUser) {
		return hint, fmt.Errorf(
			"%s was not made by --dev: it would get an admin whose key lies beside the data. "+
				"Leave --dev out, or give another --data",
			cfg.Data,
		)
	}
	stored, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return hint, err
	}
	if _, err := d.vault.Authenticate(ctx, plaintext.Own(stored)); err == nil {
		return hint, nil
	}
	key, err := d.vault.Bootstrap(ctx, devUser, "development")
	if err != nil {
		return hint, err
	}
	return hint, privatefile.Replace(path, privatefile.Content(key.Reveal()))
}

// announce tells a person where the server is, and a newcomer what to do next.
func announce(out io.Writer, url string, hint devHint) error {
	text := "Keysake is listening on " + url + "\n"
	if hint.keyFile != "" {
		text += "The API key of the user dev is in " + hint.keyFile +
			"\n\nCreate a secret from a preset:\n\n" +
			"  curl -sS " + url + "/api/v1/user/secrets/preset \\\n" +
			"    -H \"Authorization: Bearer $(cat " + shellQuote(
			hint.keyFile,
		) + ")\" \\\n" +
			"    -H 'Content-Type: application/json' \\\n" +
			"    -d '{\"provider\": \"openai\", \"value\": \"example-value-put-your-own-key-here\"}'\n\n"
	}
	_, err := io.WriteString(out, text)
	return err
}

// shellQuote makes a path one word for a POSIX shell, inside $(…) too.
func shellQuote(path string) string {
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
