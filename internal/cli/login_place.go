package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/keysake/keysake/internal/keyring"
	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/plaintext"
)

// Where a login is kept. A file of the configuration folder has it or says that the keyring does,
// in an entry of the file's name: so a command that needs no login asks no keyring.
const (
	inFile    = "file"
	inKeyring = "keyring"

	theKeyring = "the system's keyring" // for people
)

// keyring returns the keyring of the user, who is asked to unlock it only at a terminal that is on
// a screen.
func (a *app) keyring() keyring.Keyring {
	k := keyring.Keyring{Env: a.getenv}
	if _, ok := terminal(a.stdin); ok && a.hasScreen() {
		k.Ask = func() {
			a.infof("Your keyring is locked: unlock it in the window that it shows, within %s.",
				keyring.UnlockTime)
		}
	}
	return k
}

// checkPlace refuses what is no place. A keyring that is demanded must answer before somebody logs
// in for it.
func (a *app) checkPlace(place string) error {
	switch place {
	case "", inFile:
		return nil
	case inKeyring:
	default:
		return usagef("--key-store must be %s or %s", inKeyring, inFile)
	}
	path, err := a.loginPath()
	if err != nil {
		return err
	}
	if _, err = a.fromKeyring(path); err != nil && !errors.Is(err, keyring.ErrNotFound) {
		return fmt.Errorf("%w: unlock or start it, or leave --key-store out", err)
	}
	return nil
}

var profilePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// profileName returns the profile whose login is stored or used: "" for the usual one.
func (a *app) profileName() string { return cmp.Or(a.profile, a.getenv(profileVariable)) }

// configDir returns the folder of the logins.
func (a *app) configDir() (string, error) {
	dir := a.getenv(configDirVariable)
	if dir == "" {
		base, err := os.UserConfigDir()
		if err != nil {
			return "", fmt.Errorf("no folder for the login: set %s: %w", configDirVariable, err)
		}
		dir = filepath.Join(base, "keysake")
	}
	return filepath.Abs(dir) // the keyring has it in the names of entries
}

const (
	loginFile   = "login.json"
	profilesDir = "profiles" // with a file for each
)

// loginPath returns where the login of the profile is stored.
func (a *app) loginPath() (string, error) {
	dir, err := a.configDir()
	name := a.profileName()
	switch {
	case err != nil:
		return "", err
	case name == "":
		return filepath.Join(dir, loginFile), nil
	case !profilePattern.MatchString(name):
		return "", usagef(
			"the name of a profile has letters, digits, dots, underscores and hyphens")
	}
	return filepath.Join(dir, profilesDir, name+".json"), nil
}

// profiles returns the names of the stored profiles.
func (a *app) profiles() (names []string) {
	dir, err := a.configDir()
	if err != nil {
		return nil
	}
	files, _ := filepath.Glob(filepath.Join(dir, profilesDir, "*.json"))
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".json"))
	}
	return names
}

// storedLogin reads the stored login. It refuses a file that others can read, because they may have
// the key already. The error is [fs.ErrNotExist] without a login, and never quotes it.
func (a *app) storedLogin() (login, error) {
	path, err := a.loginPath()
	if isUsage(err) {
		return login{}, err
	}
	if err != nil {
		return login{}, fs.ErrNotExist // no folder, no login
	}
	info, err := os.Stat(path)
	if err != nil {
		return login{}, err
	}
	if privatefile.CheckMode(info) != nil {
		return login{}, fmt.Errorf(
			"others can read %s: make it 0600, and consider revoking its API key", path,
		)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return login{}, err
	}
	from := path
	if isInKeyring(b) {
		text, err := a.fromKeyring(path)
		if err != nil {
			return login{}, fmt.Errorf("the login is kept in %s: %w: unlock or start it, or run "+
				`"keysake login" again with --key-store file`, theKeyring, err)
		}
		b, from = text.Reveal(), theKeyring
	}
	defer clear(b)
	var l login
	if json.Unmarshal(b, &l) != nil || l.URL == "" {
		return login{}, fmt.Errorf(`%s is damaged: run "keysake login" again`, from)
	}
	l.from = from
	return l, nil
}

// storeLogin keeps the login in a place, or in the keyring where one answers and otherwise in a
// file, and removes it from the other. It says where the login is.
func (a *app) storeLogin(ctx context.Context, l login, place string) (where string, err error) {
	path, err := a.loginPath()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	content := map[string]any{"url": l.URL, "api_key": string(l.APIKey.Reveal())}
	if l.CACert != "" {
		content["ca_cert"] = l.CACert
	}
	if l.Own {
		content["own"] = true
	}
	b, err := json.Marshal(content)
	if err != nil {
		return "", err
	}
	defer clear(b)
	before, _ := os.ReadFile(path)
	wasInKeyring := isInKeyring(before)
	clear(before)
	if place == inFile {
		// Only once there is the file: somebody without room for it keeps the login of before.
		if err := privatefile.Replace(path, privatefile.Content(b)); err != nil {
			return "", err
		}
		if err := a.keyring().Delete(ctx, path); err != nil && wasInKeyring {
			a.sayLeft(err)
		}
		return path, nil
	}
	err = a.keyring().Set(ctx, path, "Keysake: "+l.URL, plaintext.Own(b))
	switch {
	case err == nil:
		pointer := []byte(`{"kept_in":"` + inKeyring + `"}`)
		err = privatefile.Replace(path, privatefile.Content(pointer))
		if err == nil || wasInKeyring { // whose file says so already
			return theKeyring, nil
		}
		return "", errors.Join(err, a.keyring().Delete(context.WithoutCancel(ctx), path))
	case place == inKeyring || ctx.Err() != nil:
		return "", err
	}
	if wasInKeyring {
		a.sayLeft(err)
	}
	return path + ", as " + err.Error(), privatefile.Replace(path, privatefile.Content(b))
}

// isInKeyring reports whether a file says that its login is in the keyring.
func isInKeyring(file []byte) bool {
	var kept login
	return json.Unmarshal(file, &kept) == nil && kept.KeptIn == inKeyring
}

// sayLeft says that an earlier login stays in the keyring.
func (a *app) sayLeft(why error) {
	a.infof("An earlier login stays in %s, until you remove it there or log out: %v.",
		theKeyring, why)
}

// removeLogin removes the stored login from both places. If its file says that it is in the
// keyring, and that does not answer, nothing is removed.
func (a *app) removeLogin(ctx context.Context, path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	defer clear(b)
	if err := a.keyring().Delete(ctx, path); err != nil && isInKeyring(b) {
		return fmt.Errorf("the login is still kept in %s: %w", theKeyring, err)
	}
	return os.Remove(path)
}
