package cli

import (
	"errors"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/wire"
)

func newSecretsRename(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "rename NAME|ID NEW_NAME",
		Aliases: []string{"mv"},
		Short:   "Give a secret another name",
		Long: `Give a secret another name. Its value and its versions stay as they are, and what
was recorded of it keeps the old name. Needs the scope secrets:write, and
secrets:read to find a NAME.`,
		Example: "  keysake secrets rename OPENAI_API_KEY OPENAI_API_KEY_STAGING",
		Args:    exactly("the secret's NAME or ID", "the NEW_NAME"),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.connect()
		if err != nil {
			return err
		}
		id, err := secretID(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		s, err := c.RenameSecret(cmd.Context(), id, wire.RenameSecret{Name: args[1]})
		if hasStatus(err, http.StatusConflict) {
			return errors.New("a secret of that name already exists: choose another name")
		}
		if err != nil {
			return err
		}
		a.infof("Renamed.")
		return show(a, s, *asJSON, secretGrid)
	}
	return cmd
}
