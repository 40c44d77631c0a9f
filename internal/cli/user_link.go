package cli

import "github.com/spf13/cobra"

func newUsersLoginLink(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "login-link NAME|ID",
		Short: "Make a link that signs a user in to the pages",
		Long: `Make a link to the pages of the server that signs a user in once, within 15
minutes. Whoever opens it first is signed in as that user: hand it to them over a
channel you trust. The session lasts 12 hours at most and may do what your own API
key may do; an admin is only who makes a link for themselves. Link and session end
with your API key. Needs the scope admin.`,
		Example: `  keysake users login-link mia`,
		Args:    exactlyOne("the user's NAME or ID"),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, l, err := a.connected()
		if err != nil {
			return err
		}
		u, err := findUser(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		link, err := c.CreateSignInLink(cmd.Context(), u.ID)
		if err != nil {
			return err
		}
		return a.showLoginLink(l, link, u.Username, *asJSON)
	}
	return cmd
}
