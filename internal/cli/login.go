package cli

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
)

const loginLong = `Check your API key with the server, and store both for later commands, in your
configuration folder, where only you can read them. This replaces an earlier
login. With --profile, it is stored beside the others under that name.

On a terminal, you are asked for the API key, which is not shown. Otherwise it is
read from standard input, or from the file that --from-file names.

The server is the one that --url names. Without --url it is the one in
KEYSAKE_URL, and without both it is ` + defaultURL + `.
If its certificate is of a private authority, give that with --ca-cert: it is
remembered. While KEYSAKE_URL, KEYSAKE_API_KEY or KEYSAKE_API_KEY_FILE is set,
commands use it instead of the stored login.`

func newLogin(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Store the server's address and your API key",
		Long:  loginLong,
		Example: `  keysake login --url https://keysake.example.org
  keysake login --from-file .keysake-dev/dev-api-key
  keysake login --profile work --url https://keysake.example.org \
    --ca-cert ca.pem`,
		Args: noValueArg(0),
	}
	address := cmd.Flags().String("url", "", "the server's `URL`")
	src := valueFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		key, err := a.readValue(cmd.Context(), src, "API key", true)
		if err != nil {
			return err
		}
		if key = trimmed(key); key.Len() == 0 {
			return errors.New("the API key is empty")
		}
		to := login{URL: cmp.Or(*address, a.getenv(urlVariable), defaultURL), APIKey: key}
		if file := cmp.Or(a.caCert, a.getenv(caCertVariable)); file != "" {
			if to.CACert, err = filepath.Abs(file); err != nil {
				return err
			}
		}
		c, err := a.client(to)
		if err != nil {
			return err
		}
		me, err := c.WhoAmI(cmd.Context())
		if err != nil {
			return err
		}
		path, err := a.storeLogin(to)
		if err != nil {
			return fmt.Errorf("store the login: %w", err)
		}
		a.infof("Logged in to %s as %s; stored in %s.", to.URL, me.Username, path)
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
	return cmd
}
