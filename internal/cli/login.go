package cli

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

const loginLong = `Check your API key with the server, and store both for later commands. The login
is kept in login.json in your configuration folder, where only you can read it,
and replaces an earlier one.

On a terminal, you are asked for the API key, which is not shown. Otherwise it is
read from standard input, or from the file that --from-file names.

The server is the one that --url names. Without --url it is the one in
KEYSAKE_URL, and without both it is ` + defaultURL + `.
While KEYSAKE_URL or KEYSAKE_API_KEY is set, commands use it instead of the
stored login.`

func newLogin(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Store the server's address and your API key",
		Long:  loginLong,
		Example: `  keysake login --url https://keysake.example.org
  keysake login --from-file .keysake-dev/dev-api-key`,
		Args: noValueArg(0),
	}
	address := cmd.Flags().String("url", "", "the server's `URL`")
	src := valueFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		key, err := a.readValue(cmd.Context(), src, "API key")
		if err != nil {
			return err
		}
		if key.Len() == 0 {
			return errors.New("the API key is empty")
		}
		to := login{URL: cmp.Or(*address, a.getenv(urlVariable), defaultURL), APIKey: key}
		c, err := to.client()
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
		if a.getenv(apiKeyVariable) != "" {
			a.infof("%s is set: commands use it instead, until you unset it.", apiKeyVariable)
		}
		return nil
	}
	return cmd
}
