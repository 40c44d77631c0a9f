package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/wire"
)

func newUsers(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "users",
		Short: "For administrators: the users of the server",
		Long:  "The users of the server. All of this needs the scope admin.",
		Example: `  keysake users create mia --email mia@example.org
  keysake api-keys create --user mia`,
	}
	group(cmd)
	cmd.AddCommand(newUsersList(a), newUsersCreate(a), newUsersDelete(a))
	return cmd
}

func newUsersList(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the users",
		Long:    "Lists all users by user name, with how many secrets each has and may have. It needs the scope admin.",
		Example: "  keysake users list",
		Args:    noArgs,
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.connect()
		if err != nil {
			return err
		}
		list, err := c.ListUsers(cmd.Context())
		if err != nil {
			return err
		}
		if *asJSON {
			return a.printJSON(list)
		}
		rows := table{{"USERNAME", "EMAIL", "ADMIN", "SECRETS", "ID"}}
		for _, u := range list.Users {
			rows = append(
				rows,
				[]string{
					u.Username,
					or(u.EmailAddress),
					yesNo(u.IsPlatformAdmin),
					quota(u.Limits.Secrets),
					u.ID,
				},
			)
		}
		return a.printTable(rows)
	}
	return cmd
}

func quota(q wire.Quota) string { return fmt.Sprintf("%d/%d", q.Used, q.Max) }

func newUsersCreate(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create USERNAME",
		Short: "Create a user",
		Long: `Creates a user, who can do nothing before there is an API key: "keysake api-keys create --user USERNAME" makes the first.
It needs the scope admin.`,
		Example: `  keysake users create mia --email mia@example.org
  keysake api-keys create --user mia`,
		Args: one("the USERNAME"),
	}
	email := cmd.Flags().String("email", "", "the user's email `ADDRESS`")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.connect()
		if err != nil {
			return err
		}
		in := wire.CreateUser{Username: args[0]}
		if *email != "" {
			in.EmailAddress = email
		}
		u, err := c.CreateUser(cmd.Context(), in)
		if refused, ok := errors.AsType[*client.Error](
			err,
		); ok &&
			refused.Status == http.StatusConflict {
			return errors.New("there is a user of that name: choose another")
		}
		if err != nil {
			return err
		}
		a.note("Created.")
		return a.printUser(u, *asJSON)
	}
	return cmd
}

func (a *app) printUser(u wire.User, asJSON bool) error {
	if asJSON {
		return a.printJSON(u)
	}
	return a.printTable(table{
		{"username", u.Username},
		{"email", or(u.EmailAddress)},
		{"admin", yesNo(u.IsPlatformAdmin)},
		{"secrets", quota(u.Limits.Secrets)},
		{"id", u.ID},
	})
}

func newUsersDelete(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "delete NAME|ID",
		Short: "Delete a user and destroy all that user's secrets",
		Long: `Deletes a user and destroys every value that the user owns, for good: no backup brings them back. It asks before, unless --yes
is given; where standard input is no terminal, nobody can be asked, and --yes is needed. It needs the scope admin.`,
		Example: "  keysake users delete mia",
		Args:    one("the user's NAME or ID"),
	}
	yes := cmd.Flags().Bool("yes", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !*yes {
			if err := a.canConfirm(); err != nil {
				return err
			}
		}
		c, err := a.connect()
		if err != nil {
			return err
		}
		u, err := findUser(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		if !*yes {
			question := fmt.Sprintf(
				"Delete the user %s and destroy %d secrets for good?",
				u.Username,
				u.Limits.Secrets.Used,
			)
			if err := a.confirm(cmd.Context(), question); err != nil {
				return err
			}
		}
		if err := c.DeleteUser(cmd.Context(), u.ID); err != nil {
			return err
		}
		a.note("Deleted.")
		return nil
	}
	return cmd
}

// findUser returns the user that a NAME or an ID stands for. A name may have the form of an id;
// then an id that is somebody else's is refused rather than guessed at.
func findUser(ctx context.Context, c *client.Client, ref string) (wire.User, error) {
	list, err := c.ListUsers(ctx)
	if err != nil {
		return wire.User{}, err
	}
	var found []wire.User
	for _, u := range list.Users {
		if u.ID == ref || u.Username == ref {
			found = append(found, u)
		}
	}
	switch len(found) {
	case 0:
		return wire.User{}, errors.New(`there is no such user: "keysake users list" shows all`)
	case 1:
		return found[0], nil
	}
	return wire.User{}, errors.New(
		"this is one user's id and another's name: delete the latter by its id, or give both other names",
	)
}
