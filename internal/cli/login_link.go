package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/wire"
)

func newLoginLink(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "login-link",
		Short: "Make a link that signs you in to the pages",
		Long: `Make a link to the pages of the server that signs you in once, within 15 minutes.
Whoever opens it first is signed in as you. The session lasts 12 hours at most and
may do what your API key may do. Link and session end with your API key. Needs the
scope keys:write, which a login in the browser has.`,
		Example: `  keysake login-link`,
		Args:    noArgs,
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, l, err := a.connected()
		if err != nil {
			return err
		}
		link, err := c.CreateOwnSignInLink(cmd.Context())
		if err != nil {
			return err
		}
		return a.showLoginLink(l, link, "you", *asJSON)
	}
	return cmd
}

// showLoginLink prints a link to the pages of the server that a login is for.
func (a *app) showLoginLink(l login, link wire.SignInLink, whom string, asJSON bool) error {
	if asJSON {
		return a.printJSON(link)
	}
	a.infof("The link that signs in %s, once, within 15 minutes:", whom)
	return a.print(escape(strings.TrimRight(l.URL, "/")+link.Path) + "\n")
}
