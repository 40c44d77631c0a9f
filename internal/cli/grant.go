package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/wire"
)

func newGrants(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "grants",
		Aliases: []string{"grant"},
		Short:   "Say who may act for you",
		Long: `Let the backend of a platform take leases for you, and withdraw that. It is a user of
this server, and acts with an API key that has the scope act:user. It sees which
secrets you have, without their values, and uses them in runs; it adds, changes and
deletes nothing. Your audit log has each use, with both names.`,
		Example: `  keysake grants add acme-backend
  keysake grants list
  keysake grants remove acme-backend`,
	}
	group(cmd)
	cmd.AddCommand(newGrantsAdd(a), newGrantsList(a), newGrantsRemove(a))
	return cmd
}

// A newGrant holds the arguments of "grants add".
type newGrant struct {
	scopes, secrets      []string
	expiresIn, expiresAt string
}

func newGrantsAdd(a *app) *cobra.Command {
	in := new(newGrant)
	cmd := &cobra.Command{
		Use:   "add USER",
		Short: "Let another user act for you",
		Long: `Let another user, by name or ID, act for you: with all secrets that you have and will
have or, with --secret, with these alone. It ends when you remove it, and with the API
key that creates it. Needs the scope keys:write and the scopes that it gives.`,
		Example: `  keysake grants add acme-backend
  keysake grants add acme-backend --secret OPENAI_API_KEY --expires-in 30d`,
		Args: exactlyOne("the USER who may act for you"),
	}
	f := cmd.Flags()
	f.StringSliceVar(&in.scopes, "scope", []string{"secrets:read", "leases:write"},
		"a `SCOPE` that they get; repeatable")
	f.StringArrayVarP(&in.secrets, "secret", "s", nil,
		"only the secret with this `NAME` or ID (repeatable)")
	f.StringVar(&in.expiresIn, "expires-in", "", "expire after this `TIME`, such as 12h or 90d")
	f.StringVar(&in.expiresAt, "expires-at", "", "expire at this `TIME`, such as 2027-01-01")
	cmd.MarkFlagsMutuallyExclusive("expires-in", "expires-at")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		made, err := a.addGrant(cmd.Context(), args[0], in)
		if err != nil {
			return err
		}
		a.infof("%s may act for you, %s.", made.Username, grantedText(made))
		return show(a, made, *asJSON, func(g wire.UserGrant) grid {
			return grantsGrid(wire.UserGrantList{Grants: []wire.UserGrant{g}})
		})
	}
	return cmd
}

func (a *app) addGrant(
	ctx context.Context, user string, in *newGrant,
) (made wire.UserGrant, err error) {
	body := wire.CreateUserGrant{User: user, Scopes: &in.scopes}
	body.ExpiresAt, err = expiryOf(in.expiresIn, in.expiresAt, a.now())
	if err != nil {
		return made, err
	}
	c, err := a.connect()
	if err != nil {
		return made, err
	}
	if len(in.secrets) > 0 {
		ids := make([]string, len(in.secrets))
		for i, ref := range in.secrets {
			if ids[i], err = secretID(ctx, c, ref); err != nil {
				return made, err
			}
		}
		body.SecretIDs = &ids
	}
	return c.CreateUserGrant(ctx, body)
}

// grantedText says with what somebody may act, and until when.
func grantedText(g wire.UserGrant) string {
	text := "with every secret, and those to come"
	if g.SecretIDs != nil {
		text = "with " + count(len(*g.SecretIDs), "secret", "secrets")
	}
	if g.ExpiresAt != nil {
		return text + ", until " + formatTime(g.ExpiresAt)
	}
	return text + ", until you withdraw it"
}

func newGrantsList(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List who may act for you",
		Long: `List who may act for you, newest first, with the leases that they have open now.
Needs the scope keys:write.`,
		Example: `  keysake grants list
  keysake grants list --json`,
		Args: noArgs,
	}
	return listCommand(a, cmd, fromServer(a, (*client.Client).ListUserGrants), grantsGrid)
}

func grantsGrid(list wire.UserGrantList) grid {
	rows := grid{{"USER", "SCOPES", "SECRETS", "ACTIVE", "LEASES", "LAST USED", "EXPIRES", "ID"}}
	for _, g := range list.Grants {
		secrets := "all"
		if g.SecretIDs != nil {
			secrets = strconv.Itoa(len(*g.SecretIDs))
		}
		rows = append(rows, []string{
			g.Username, strings.Join(g.Scopes, ","), secrets, yesNo(g.Active),
			strconv.Itoa(g.OpenLeases), formatTime(g.LastUsedAt), formatTime(g.ExpiresAt), g.ID,
		})
	}
	return rows
}

func newGrantsRemove(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove USER|ID",
		Aliases: []string{"rm"},
		Short:   "Withdraw a grant, and end its leases",
		Long: `Withdraw a grant. The other user does not act for you any more, and the leases
that they asked for end at once; what was delivered stays delivered. You are asked
to confirm, unless you give --yes; without a terminal, --yes is required. Needs the scope
keys:write and the scopes of the grant.`,
		Example: `  keysake grants remove acme-backend
  keysake grants remove 0198c8a6-6f43-7d0e-9d2c-5b1f0a3c7e11 --yes`,
		Args: exactlyOne("the USER, or the grant's ID"),
	}
	return removeCommand(a, cmd, a.grantToRemove, (*client.Client).RemoveUserGrant, "Withdrawn.")
}

// grantToRemove returns the id of the grant with this ID, or to the user with this name or ID, once
// that is confirmed.
func (a *app) grantToRemove(
	ctx context.Context, c *client.Client, ref string, yes bool,
) (id string, err error) {
	list, err := c.ListUserGrants(ctx)
	if err != nil {
		return "", err
	}
	g, err := pick(list.Grants, ref, "grant", "grants list", func(g wire.UserGrant) (string, bool) {
		return g.ID, g.Username == ref || g.UserID == ref
	})
	if err != nil {
		return "", err
	}
	return g.ID, a.confirm(ctx, yes, fmt.Sprintf("Withdraw what %s may, and end %s?",
		g.Username, count(g.OpenLeases, "open lease", "open leases")))
}

// forFlag adds the flag of a command that can be done for another user.
func forFlag(cmd *cobra.Command, user *string) {
	cmd.Flags().StringVar(user, "for", "", "do it for the user `NAME|ID`, who has granted that")
}
