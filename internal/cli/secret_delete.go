package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
)

func newSecretsDelete(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "delete NAME|ID",
		Aliases: []string{"rm"},
		Short:   "Delete a secret and all its values",
		Long: `Delete a secret and all its values. This cannot be undone. You are asked to
confirm, unless you give --yes; without a terminal, --yes is required.

Needs the scope secrets:write, and secrets:read to confirm or to find a NAME.`,
		Example: `  keysake secrets delete OPENAI_API_KEY
  keysake secrets delete OPENAI_API_KEY --yes`,
		Args: exactlyOne("the secret's NAME or ID"),
	}
	return removeCommand(a, cmd, a.secretToDelete, (*client.Client).DeleteSecret, "Deleted.")
}

func (a *app) secretToDelete(
	ctx context.Context, c *client.Client, ref string, yes bool,
) (id string, err error) {
	if yes {
		return secretID(ctx, c, ref)
	}
	s, err := findSecret(ctx, c, ref)
	if err != nil {
		return "", err
	}
	question := fmt.Sprintf("Delete %s (%s) and all its values for good?", s.Name, s.MaskedValue)
	return s.ID, a.confirm(ctx, yes, question)
}
