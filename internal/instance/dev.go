package instance

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/plaintext"
)

// The user of a development server, and the file in the data folder with that user's API key.
const (
	devUser    = "dev"
	devKeyFile = "dev-api-key"
)

// A folder that --dev makes has a mark in it: only the instance key makes it, which nobody has who
// can write a production folder.
const devMarkFile = "keysake.dev"

// devMark is what is marked. Rows of the database begin with other words.
func devMark() []byte { return []byte("keysake mark v1\ndev\n") }

func writeDevMark(data string, mark []byte) error {
	text := []byte(hex.EncodeToString(mark) + "\n")
	return privatefile.Replace(filepath.Join(data, devMarkFile), privatefile.Content(text))
}

func foreignToDev(cfg config.Config) error {
	return fmt.Errorf("%s was not created by --dev, which would store an admin's API key in it: "+
		"omit --dev, or choose another --data", cfg.Data)
}

// checkBeside refuses a data folder of which another keys file speaks than the one in it, which
// --dev would believe.
func checkBeside(cfg config.Config) error {
	if !cfg.Dev || cfg.Keys != "" {
		return nil
	}
	cfg.Dev = false
	beside, err := cfg.KeysFile()
	if err != nil {
		return err
	}
	if _, err := os.Lstat(beside); err == nil {
		return foreignToDev(cfg)
	}
	return nil
}

// checkAdmins checks that the user of --dev is an admin, if there are any.
func (i *Instance) checkAdmins(ctx context.Context, cfg config.Config) error {
	admins, err := i.Operator.ListAdmins(ctx)
	if err == nil && len(admins) > 0 && !slices.Contains(admins, devUser) {
		err = foreignToDev(cfg)
	}
	return err
}

// isMarked reports whether a data folder has the mark of --dev.
func (i *Instance) isMarked(data string) (bool, error) {
	text, err := os.ReadFile(filepath.Join(data, devMarkFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	mark, err := hex.DecodeString(strings.TrimSpace(string(text)))
	return err == nil && i.Operator.Marked(devMark(), mark), nil
}

// KeepDevMark marks a folder that --dev made with the instance key that signs now. The one that
// made the mark before must still be believed.
func (i *Instance) KeepDevMark(data string) error {
	marked, err := i.isMarked(data)
	if err != nil || !marked {
		return err
	}
	mark, err := i.Operator.Mark(devMark())
	if err != nil {
		return err
	}
	return writeDevMark(data, mark)
}

// PrepareDev makes sure that the user dev exists and that a file in the data folder, which --dev
// made, has a working API key of that user. It returns the file's path.
func (i *Instance) PrepareDev(ctx context.Context, cfg config.Config) (keyFile string, err error) {
	keyFile, err = filepath.Abs(filepath.Join(cfg.Data, devKeyFile))
	if err != nil {
		return "", err
	}
	marked, err := i.isMarked(cfg.Data)
	if err != nil {
		return "", err
	}
	if !marked {
		return "", foreignToDev(cfg)
	}
	stored, err := os.ReadFile(keyFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	who, refused := i.Vault.Authenticate(ctx, plaintext.Own(stored))
	if refused == nil && slices.Contains(who.Scopes, policy.Admin) {
		return keyFile, nil // to look for admins takes long where there are many users
	}
	if err := i.checkAdmins(ctx, cfg); err != nil || refused == nil {
		return keyFile, err
	}
	key, err := i.CreateAdmin(ctx, devUser, "development")
	if err != nil {
		return "", err
	}
	return keyFile, privatefile.Replace(keyFile, privatefile.Content(key.Reveal()))
}
