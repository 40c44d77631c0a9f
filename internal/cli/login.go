package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

const loginLong = `Asks the server who you are, and if it knows, stores its address and the API key for all later commands:
in login.json in the user's configuration folder, readable by that user alone. Another login takes its place.

The API key is asked for without showing it if standard input is a terminal, and is else read from standard input, or
from the file of --from-file.

The server is that of --url, else of KEYSAKE_URL, else the one on this machine, ` + defaultURL + `.
KEYSAKE_URL and KEYSAKE_API_KEY win over the stored login wherever they are set.`

func newLogin(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Check and store the server's address and your API key",
		Long:  loginLong,
		Example: `  keysake login --url https://keysake.example.org
  keysake login --from-file .keysake-dev/dev-api-key`,
		Args: thenNoValue(0),
	}
	address := cmd.Flags().String("url", "", "the server's `URL`")
	src := valueFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		to := login{URL: *address}
		if to.URL == "" {
			to.URL = a.variable(urlVariable)
		}
		if to.URL == "" {
			to.URL = defaultURL
		}
		key, err := a.readValue(cmd.Context(), src, "API key")
		if err != nil {
			return err
		}
		if key.Len() == 0 {
			return errors.New("no API key was given")
		}
		to.APIKey = key
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
		a.note("Logged in to %s as %s; kept in %s.", to.URL, me.Username, path)
		if a.variable(apiKeyVariable) != "" {
			a.note("%s is set, and wins over this login until you unset it.", apiKeyVariable)
		}
		return nil
	}
	return cmd
}
