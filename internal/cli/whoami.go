package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/wire"
)

func newWhoAmI(a *app) *cobra.Command {
	return listCommand(a, &cobra.Command{
		Use:     "whoami",
		Short:   "Show which user your API key is of",
		Long:    "Show which user your API key is of. Needs no scope.",
		Example: "  keysake whoami",
		Args:    noArgs,
	}, fromServer(a, (*client.Client).WhoAmI), func(u wire.User) grid { return userGrid(u) })
}

func newLogout(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logout",
		Short: "Remove the stored login",
		Long: `Remove the stored login, or with --profile that of a profile. The API key of a login
in the browser is revoked. One that you had before goes on working for whoever has
it, unless you revoke it with --revoke; that needs a key that was created with
--allow-self-revoke.`,
		Example: `  keysake logout
  keysake logout --profile work --revoke`,
		Args: noArgs,
	}
	revoke := cmd.Flags().Bool("revoke", false, "revoke the API key first")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		stored, err := a.storedLogin()
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("nothing to log out from: %w", errNoLogin)
		}
		if *revoke && err != nil {
			return err
		}
		if *revoke || err == nil && stored.Own {
			if err := a.revokeOwn(cmd.Context(), stored); err != nil {
				return err
			}
		}
		path, noPath := a.loginPath()
		if noPath != nil {
			return noPath
		}
		if failed := a.removeLogin(cmd.Context(), path); failed != nil {
			return failed
		}
		if err != nil {
			a.infof("Logged out, but no API key was revoked, as %v.", err)
		} else {
			a.infof("Logged out.")
		}
		if source := a.sourceOfKey(); source != "" {
			a.infof("%s is still set: commands use it.", source)
		}
		return nil
	}
	return cmd
}

// revokeOwn revokes the API key of a login. One that does not work any more needs no revoking, if
// it was made for the login alone.
func (a *app) revokeOwn(ctx context.Context, of login) error {
	c, err := a.client(of)
	if err != nil {
		return err
	}
	err = c.RevokeSelf(ctx)
	if err == nil || of.Own && errors.Is(err, client.ErrUnauthenticated) {
		return nil
	}
	return fmt.Errorf("the key was not revoked, and the login is still stored: %w", err)
}

// sourceOfKey returns the variable that has the API key, or names its file.
func (a *app) sourceOfKey() string {
	for _, name := range []string{apiKeyVariable, apiKeyFileVariable} {
		if a.getenv(name) != "" {
			return name
		}
	}
	return ""
}

// A statusReport says which server commands talk to, and whether that works.
type statusReport struct {
	Server   string     `json:"server"`
	Login    string     `json:"login"` // what named it: a file or a variable
	Profile  string     `json:"profile,omitempty"`
	Healthy  bool       `json:"healthy"`
	User     *wire.User `json:"user"`
	Profiles []string   `json:"profiles"`
	// Attention has the secrets to look at.
	Attention []attention `json:"attention"`
}

// An attention is a secret, and why to look at it.
type attention struct {
	Name     string   `json:"name"`
	SecretID string   `json:"secret_id"`
	Warnings []string `json:"warnings"`

	text string
}

// attention returns the secrets to look at, and none if the API key may not see secrets.
func (a *app) attention(ctx context.Context, c *client.Client) ([]attention, error) {
	found := []attention{}
	known, err := c.SecretHealths(ctx)
	if hasStatus(err, http.StatusForbidden) {
		return found, nil
	}
	if err != nil {
		return found, err
	}
	known.Health = slices.DeleteFunc(known.Health, func(h wire.SecretHealth) bool {
		return len(h.Warnings) == 0
	})
	if len(known.Health) == 0 {
		return found, nil
	}
	list, err := c.ListSecrets(ctx)
	for _, h := range known.Health {
		for _, s := range list.Secrets {
			if s.ID == h.SecretID {
				text := s.Name + ": " + strings.Join(a.warnings(h), ", ")
				found = append(found, attention{s.Name, s.ID, h.Warnings, text})
			}
		}
	}
	return found, err
}

func newStatus(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show which server and user commands use, and whether they work",
		Long: `Show which server and user commands use, where the login comes from, whether the
server answers, which profiles are stored, and which of your secrets to look at:
those that are invalid, expire soon, or were not used for long. The exit code is
0 if commands work, whatever is to be looked at.`,
		Example: `  keysake status
  keysake status --profile work`,
		Args: noArgs,
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, l, err := a.connected()
		if err != nil {
			return err
		}
		report := statusReport{
			Server: l.URL, Login: l.from, Profiles: a.profiles(), Attention: []attention{},
		}
		if a.sourceOfKey() == "" || a.profile != "" {
			report.Profile = a.profileName()
		}
		_, failed := c.Health(cmd.Context())
		report.Healthy = failed == nil
		if failed == nil {
			var me wire.User
			if me, failed = c.WhoAmI(cmd.Context()); failed == nil {
				report.User = &me
				report.Attention, failed = a.attention(cmd.Context(), c)
			}
		}
		return errors.Join(show(a, report, *asJSON, statusGrid), failed)
	}
	return cmd
}

func statusGrid(s statusReport) grid {
	rows := grid{{"server", s.Server}, {"login", s.Login}, {"profile", orDash(s.Profile)}}
	rows = append(rows, []string{"healthy", yesNo(s.Healthy)})
	if s.User != nil {
		rows = append(rows, []string{"user", s.User.Username},
			[]string{"secrets", quota(s.User.Limits.Secrets)})
	}
	for _, one := range s.Attention {
		rows = append(rows, []string{"attention", one.text})
	}
	for _, name := range s.Profiles {
		rows = append(rows, []string{"stored profile", name})
	}
	return rows
}
