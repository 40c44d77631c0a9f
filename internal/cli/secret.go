package cli

import (
	"context"
	"errors"
	"net/http"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/wire"
)

func newSecrets(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secrets",
		Short: "Manage your secrets",
		Long: `Manage your secrets. The name of a secret is the environment variable that it
becomes. Its value is never shown; a mask such as sk-pro••••789 stands for it.`,
		Example: `  keysake secrets set --preset openai
  keysake secrets list`,
	}
	group(cmd)
	cmd.AddCommand(
		newSecretsList(a),
		newSecretsShow(a),
		newSecretsSet(a),
		newSecretsUpdate(a),
		newSecretsRename(a),
		newSecretsImport(a),
		newSecretsProbe(a),
		newSecretsExpiry(a),
		newSecretsWatch(a),
		newSecretsVersions(a),
		newSecretsRollback(a),
		newSecretsDelete(a),
		neverShown("get", "export", "reveal", "print", "read"),
	)
	return cmd
}

func newSecretsList(a *app) *cobra.Command {
	return listCommand(a, &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List your secrets",
		Long: `List your secrets by name, each with its mask, when a program got it last, and what
is known of its health: what the provider said, whether it expires soon, and that
it was not used for long. Needs the scope secrets:read.`,
		Example: `  keysake secrets list
  keysake secrets list --json`,
		Args: noArgs,
	}, a.listSecrets, a.secretsGrid)
}

// neverShown returns a hidden command of the names by which people look for a value.
func neverShown(name string, more ...string) *cobra.Command {
	return &cobra.Command{
		Use:     name + " NAME",
		Aliases: more,
		Hidden:  true,
		Short:   "Say that values are never shown",
		Long:    "Say that values are never shown, and what uses them.",
		Example: `  keysake secrets show OPENAI_API_KEY
  keysake run --secret OPENAI_API_KEY -- command`,
		Args: cobra.ArbitraryArgs,
		RunE: func(*cobra.Command, []string) error {
			return usagef(`a value is never shown: "keysake run --secret NAME -- command" ` +
				`gives it to a command, and "keysake secrets show NAME" shows its mask`)
		},
	}
}

func newSecretsShow(a *app) *cobra.Command {
	return listCommand(a, &cobra.Command{
		Use:   "show NAME|ID",
		Short: "Show one secret",
		Long: `Show a secret with its mask and what is known of its health, never its value.
Needs the scope secrets:read.`,
		Example: `  keysake secrets show OPENAI_API_KEY
  keysake secrets show OPENAI_API_KEY --json`,
		Args: exactlyOne("the secret's NAME or ID"),
	}, ofSecret(a, showSecret), a.shownGrid)
}

// ofSecret returns a read function for [listCommand] about the secret that its argument names.
func ofSecret[T any](
	a *app, request func(context.Context, *client.Client, wire.Secret) (T, error),
) func(context.Context, []string) (T, error) {
	return func(ctx context.Context, args []string) (out T, err error) {
		c, err := a.connect()
		if err != nil {
			return out, err
		}
		s, err := findSecret(ctx, c, args[0])
		if err != nil {
			return out, err
		}
		return request(ctx, c, s)
	}
}

func secretGrid(s wire.Secret) grid {
	return grid{
		{"name", s.Name},
		{"provider", orDash(providerOf(s))},
		{"value", s.MaskedValue},
		{"created", formatTime(&s.CreatedAt)},
		{"updated", formatTime(&s.UpdatedAt)},
		{"id", s.ID},
	}
}

func providerOf(s wire.Secret) string {
	if s.Provider == nil {
		return ""
	}
	return *s.Provider
}

var uuidPattern = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// secretID returns the id of the secret with this NAME or ID. A name has no hyphen, so it is never
// an id.
func secretID(ctx context.Context, c *client.Client, ref string) (string, error) {
	if uuidPattern.MatchString(ref) {
		return ref, nil
	}
	s, err := findSecret(ctx, c, ref)
	return s.ID, err
}

// findSecret returns the secret with this NAME or ID.
func findSecret(ctx context.Context, c *client.Client, ref string) (wire.Secret, error) {
	if uuidPattern.MatchString(ref) {
		s, err := c.GetSecret(ctx, ref)
		if hasStatus(err, http.StatusNotFound) {
			err = errNoSuchSecret
		}
		return s, err
	}
	list, err := c.ListSecrets(ctx)
	if err != nil {
		return wire.Secret{}, err
	}
	for _, s := range list.Secrets {
		if s.Name == ref {
			return s, nil
		}
	}
	return wire.Secret{}, errNoSuchSecret
}

// noSuchSecret says of a 404 what was not found.
func noSuchSecret(err error) error {
	if hasStatus(err, http.StatusNotFound) {
		return errNoSuchSecret
	}
	return err
}

var errNoSuchSecret = errors.New(`no such secret: "keysake secrets list" shows yours`)
