package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

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
		newUsersKeep(a), newUsersDisable(a), newUsersEnable(a), newUsersRepair(a),
		newUsersLoginLink(a), newUsersLink(a), newUsersUnlink(a),
	)
	return cmd
}

func newUsersList(a *app) *cobra.Command {
	return listCommand(a, &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the users",
		Long: `List all users by name, with the number of secrets that each has and may have, and
whether they are disabled, to be deleted, or were repaired and have not confirmed
that. Of a user whose data was changed by something other
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
	state := "active"
	switch {
	case u.DeleteAt != nil:
		state = "to be deleted " + formatTime(u.DeleteAt)
	case u.Disabled:
		state = "disabled"
	case u.Repaired:
		return "repaired, not confirmed"
	}
	if u.Repaired {
		state += ", repaired"
	}
	return state
}

func quota(q wire.Quota) string { return fmt.Sprintf("%d/%d", q.Used, q.Max) }

func newUsersCreate(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create USERNAME",
		Short: "Create a user",
		Long: `Create a user. A new user has no API key; create the first one with
"keysake api-keys create --user USERNAME". With --grant you act for the user, until
they withdraw that. Needs the scope admin and, with --grant, act:user.`,
		Example: `  keysake users create mia --email mia@example.org
  keysake api-keys create --user mia`,
		Args: exactlyOne("the USERNAME"),
	}
	email := cmd.Flags().String("email", "", "the user's email `ADDRESS`")
	grant := cmd.Flags().Bool("grant", false, "let you act for the user")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.connect()
		if err != nil {
			return err
		}
		in := wire.CreateUser{Username: args[0], Grant: grant}
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

// findUser returns the user with this NAME or ID, of one who was tampered with only the id. No name
// looks like an id.
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
	if slices.Contains(list.Broken, ref) {
		return wire.User{ID: ref}, nil
	}
	return wire.User{}, errors.New(`no such user: "keysake users list" shows them all`)
}
