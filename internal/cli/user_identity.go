package cli

import (
	"github.com/spf13/cobra"

	"github.com/keysake/keysake/wire"
)

func newUsersLink(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "link NAME|ID --issuer URL --subject SUBJECT",
		Short: "Let somebody sign in as a user at the provider",
		Long: `Let somebody who signs in at the provider of the server come in as a user, in
place of who could before. The issuer is the one in the settings of the server; the
subject is what its tokens have as "sub", which is no name and no address. In a
session they may do what your own API key may do; whether they are an admin, the
provider says. The link ends with your API key: use one that stays. Needs the scope
admin.`,
		Example: `  keysake users link mia --issuer https://id.example.org --subject 00u1a2b3`,
		Args:    exactlyOne("the user's NAME or ID"),
	}
	var identity wire.Identity
	cmd.Flags().StringVar(&identity.Issuer, "issuer", "", "URL of the provider")
	cmd.Flags().StringVar(&identity.Subject, "subject", "", "who they are at the provider")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.connect()
		if err != nil {
			return err
		}
		u, err := findUser(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		if _, err := c.LinkIdentity(cmd.Context(), u.ID, identity); err != nil {
			return err
		}
		a.infof("Linked.")
		return nil
	}
	return cmd
}

func newUsersUnlink(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "unlink NAME|ID",
		Short: "Let nobody sign in as a user at the provider or with a passkey",
		Long: `Let nobody sign in as a user any more, at the provider or with a passkey, and end at
once the sessions and the API keys that were made so. The secrets stay. Who was
unlinked and signs in again becomes a new user, if the settings of the server let
that happen: to keep somebody out, disable the user. Needs the scope admin.`,
		Example: `  keysake users unlink mia`,
		Args:    exactlyOne("the user's NAME or ID"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.connect()
		if err != nil {
			return err
		}
		u, err := findUser(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		if err := c.UnlinkIdentity(cmd.Context(), u.ID); err != nil {
			return err
		}
		a.infof("Unlinked.")
		return nil
	}
	return cmd
}
