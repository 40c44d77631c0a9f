package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/plaintext"
)

const loginLong = `Log in to the server at URL in your browser: the command shows a page and a
code, and opens the page where there is a screen. Sign in there, and let it in if
the page shows the same code. It gets an API key of its own, which works for 90
days at most, and "keysake logout" revokes it.

Without URL, check the API key that you have. On a terminal, you are asked for it,
and it is not shown. Otherwise it is read from standard input, or from the file that
--from-file names. The server is then the one that --url names. Without --url it is
the one in KEYSAKE_URL, and without both it is ` + defaultURL + `.

Either way the login is stored for later commands: in the keyring of your system
where one answers, and otherwise in a file of your configuration folder that only
you can read. The command says where; --key-store demands one of the two. This
replaces an earlier login. With --profile, it is stored beside the others under that
name.

A keyring has 5 seconds to answer, and you a minute to unlock it if you are at a
terminal on a screen. Otherwise, as over ssh, one that is locked is not waited for.

If the server's certificate is of a private authority, give that with --ca-cert: it
is remembered. While KEYSAKE_URL, KEYSAKE_API_KEY or KEYSAKE_API_KEY_FILE is set,
commands use it instead of the stored login.`

func newLogin(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "login [URL]",
		Short: "Log in to a server, and store the login",
		Long:  loginLong,
		Example: `  keysake login https://keysake.example.org
  keysake login https://keysake.example.org --scope secrets:read
  keysake login --from-file .keysake-dev/dev-api-key
  keysake login --profile work --url https://keysake.example.org \
    --ca-cert ca.pem`,
		Args: noURLButOne,
	}
	address := cmd.Flags().String("url", "", "the server's `URL`, for an API key that you have")
	scopes := cmd.Flags().StringArray("scope", nil,
		"in the browser: ask for a `SCOPE`, repeatable; otherwise for the usual ones")
	place := cmd.Flags().String("key-store", "",
		"`PLACE` of the login: keyring or file; without it, the keyring where one answers")
	noBrowser := cmd.Flags().Bool("no-browser", false, "show the page's address, and open nothing")
	src := valueFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 && (*address != "" || src.file != "") {
			return usagef("with URL you log in in the browser: --url and --from-file are for an " +
				"API key that you have")
		}
		if len(args) == 0 && (len(*scopes) > 0 || *noBrowser) {
			return usagef("--scope and --no-browser are for a login in the browser: name the URL")
		}
		if err := a.checkPlace(*place); err != nil {
			return err
		}
		to, err := a.loginTo(cmp.Or(*address, a.getenv(urlVariable), defaultURL))
		if err != nil {
			return err
		}
		if len(args) == 1 {
			to.URL, to.Own = args[0], true
			to.APIKey, err = a.deviceLogin(cmd.Context(), to, *scopes, !*noBrowser)
		} else {
			to.APIKey, err = a.givenKey(cmd.Context(), src)
		}
		if err != nil {
			return err
		}
		return a.finishLogin(cmd.Context(), to, *place)
	}
	return cmd
}

// noURLButOne refuses what is no URL: it may be an API key, which must be no argument.
func noURLButOne(cmd *cobra.Command, args []string) error {
	if len(args) == 1 && (strings.HasPrefix(args[0], "https://") ||
		strings.HasPrefix(args[0], "http://")) {
		return nil
	}
	return noValueArg(0)(cmd, args)
}

// loginTo returns a login to a server, without a key.
func (a *app) loginTo(address string) (to login, err error) {
	to.URL = address
	if file := cmp.Or(a.caCert, a.getenv(caCertVariable)); file != "" {
		to.CACert, err = filepath.Abs(file)
	}
	return to, err
}

// givenKey reads the API key that a user has.
func (a *app) givenKey(ctx context.Context, src *valueSource) (plaintext.Value, error) {
	key, err := a.readValue(ctx, src, "API key", true)
	if err != nil {
		return plaintext.Value{}, err
	}
	if key = trimmed(key); key.Len() == 0 {
		return plaintext.Value{}, errors.New("the API key is empty")
	}
	return key, nil
}

// finishLogin checks a login, and stores it in a place.
func (a *app) finishLogin(ctx context.Context, to login, place string) error {
	c, err := a.client(to)
	if err != nil {
		return err
	}
	me, err := c.WhoAmI(ctx)
	if err != nil {
		return err
	}
	where, err := a.storeLogin(ctx, to, place)
	if err != nil {
		if to.Own {
			_ = c.RevokeSelf(context.WithoutCancel(ctx)) // nobody has it
		}
		return fmt.Errorf("store the login: %w", err)
	}
	a.infof("Logged in to %s as %s; stored in %s.", to.URL, me.Username, where)
	if me.Repaired {
		a.infof("Your secrets were repaired by the operator, and an older state of one may " +
			"be back: look through them, then run keysake confirm.")
	}
	for _, name := range []string{apiKeyVariable, apiKeyFileVariable} {
		if a.getenv(name) != "" && a.profile == "" {
			a.infof("%s is set: commands use it instead, until you unset it.", name)
		}
	}
	return nil
}
