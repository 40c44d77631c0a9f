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
		Short: "Manage the users (for administrators)",
		Long: `Manage the users of the server. All of these commands need the scope admin, unless
the operator gives --data.`,
		Example: `  keysake users create mia --email mia@example.org
  keysake api-keys create --user mia`,
	}
	group(cmd)
	cmd.AddCommand(
		newUsersList(a), newUsersCreate(a), newUsersDelete(a),
		newUsersDisable(a), newUsersEnable(a),
	)
	return cmd
}

func newUsersList(a *app) *cobra.Command {
	return listCommand(a, &cobra.Command{
		Use:   "list",
		Short: "List the users",
		Long: `List all users by name, with the number of secrets that each has and may have, and
whether they are disabled. Of a user whose data was changed by something other
than the server, only the id is shown, at the end: "keysake doctor" says what it
is. Needs the scope admin.`,
		Example: "  keysake users list",
		Args:    noArgs,
	}, fromServer(a, (*client.Client).ListUsers), usersGrid)
}

func usersGrid(list wire.UserList) grid {
	rows := grid{{"USERNAME", "EMAIL", "ADMIN", "STATE", "SECRETS", "ID"}}
	for _, u := range list.Users {
		rows = append(rows, []string{
			u.Username, orDash(u.EmailAddress), yesNo(u.IsPlatformAdmin), userState(u),
			quota(u.Limits.Secrets), u.ID,
		})
	}
	for _, id := range list.Broken {
		rows = append(rows, []string{"-", "-", "-", "tampered with", "-", id})
	}
	return rows
}

func userState(u wire.User) string {
	if u.Disabled {
		return "disabled"
	}
	return "active"
}

func quota(q wire.Quota) string { return fmt.Sprintf("%d/%d", q.Used, q.Max) }

func newUsersCreate(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create USERNAME",
		Short: "Create a user",
		Long: `Create a user. A new user has no API key; create the first one with
"keysake api-keys create --user USERNAME". Needs the scope admin.`,
		Example: `  keysake users create mia --email mia@example.org
  keysake api-keys create --user mia`,
		Args: exactlyOne("the USERNAME"),
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
		if hasStatus(err, http.StatusConflict) {
			return errors.New("a user of that name already exists: choose another name")
		}
		if err != nil {
			return err
		}
		a.infof("Created.")
		return show(a, u, *asJSON, userGrid)
	}
	return cmd
}

func userGrid(u wire.User) grid {
	return grid{
		{"username", u.Username},
		{"email", orDash(u.EmailAddress)},
		{"admin", yesNo(u.IsPlatformAdmin)},
		{"secrets", quota(u.Limits.Secrets)},
		{"id", u.ID},
	}
}

func newUsersDelete(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "delete NAME|ID",
		Short: "Delete a user and all the user's secrets",
		Long: `Delete a user, and destroy every value that the user owns. This cannot be undone.
The user's API keys end, and so does every key that was created with one of them,
also those of other users.
Backups that were made before still hold the values, and the key that opens them
with the root key, until you destroy the backups. You are asked to confirm,
unless you give --yes; without a terminal, --yes is required. Needs the scope
admin.`,
		Example: "  keysake users delete mia",
		Args:    exactlyOne("the user's NAME or ID"),
	}
	yes := yesFlag(cmd)
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
			question := fmt.Sprintf("Delete the user %s and destroy %s for good?",
				u.Username, count(u.Limits.Secrets.Used, "secret", "secrets"))
			if err := a.confirm(cmd.Context(), question); err != nil {
				return err
			}
		}
		if err := c.DeleteUser(cmd.Context(), u.ID); err != nil {
			return err
		}
		a.infof("Deleted.")
		return nil
	}
	return cmd
}

// findUser returns the user with this NAME or ID. No name looks like an id.
func findUser(ctx context.Context, c *client.Client, ref string) (wire.User, error) {
	list, err := c.ListUsers(ctx)
	if err != nil {
		return wire.User{}, err
	}
	for _, u := range list.Users {
		if u.ID == ref || u.Username == ref {
			return u, nil
		}
	}
	return wire.User{}, errors.New(`no such user: "keysake users list" shows them all`)
}
