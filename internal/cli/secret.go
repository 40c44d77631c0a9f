package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/wire"
)

func newSecrets(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secrets",
		Short: "Your secrets: list, show, set, update, roll back, delete",
		Long: `Your secrets. Each has a name, which is the environment variable that it becomes, and a value, which is never shown:
in its place stands the mask, such as sk-pro••••789.`,
		Example: `  keysake secrets set --preset openai
  keysake secrets list`,
	}
	group(cmd)
	cmd.AddCommand(
		newSecretsList(a),
		newSecretsShow(a),
		newSecretsSet(a),
		newSecretsUpdate(a),
		newSecretsVersions(a),
		newSecretsRollback(a),
		newSecretsDelete(a),
	)
	return cmd
}

func newSecretsList(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List your secrets",
		Long:  "Lists your secrets by name, each with its mask. It needs the scope secrets:read.",
		Example: `  keysake secrets list
  keysake secrets list --json`,
		Args: noArgs,
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.connect()
		if err != nil {
			return err
		}
		list, err := c.ListSecrets(cmd.Context())
		if err != nil {
			return err
		}
		if *asJSON {
			return a.printJSON(list)
		}
		if len(list.Secrets) == 0 {
			a.note(`You have no secrets yet. "keysake secrets set --preset openai" makes one.`)
			return nil
		}
		rows := table{{"NAME", "PROVIDER", "VALUE", "UPDATED", "ID"}}
		for _, s := range list.Secrets {
			rows = append(
				rows,
				[]string{s.Name, or(providerOf(s)), s.MaskedValue, moment(&s.UpdatedAt), s.ID},
			)
		}
		return a.printTable(rows)
	}
	return cmd
}

func newSecretsShow(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show NAME|ID",
		Short: "Show one secret",
		Long:  "Shows what may be seen of a secret: never its value. It needs the scope secrets:read.",
		Example: `  keysake secrets show OPENAI_API_KEY
  keysake secrets show OPENAI_API_KEY --json`,
		Args: one("the secret's NAME or ID"),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.connect()
		if err != nil {
			return err
		}
		s, err := findSecret(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		return a.printSecret(s, *asJSON)
	}
	return cmd
}

func newSecretsDelete(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "delete NAME|ID",
		Short: "Delete a secret and all its values",
		Long: `Deletes a secret and all its values, for good. It asks before, unless --yes is given; where standard input is no terminal,
nobody can be asked, and --yes is needed. It needs the scope secrets:write, and secrets:read to ask or to find a NAME.`,
		Example: `  keysake secrets delete OPENAI_API_KEY
  keysake secrets delete OPENAI_API_KEY --yes`,
		Args: one("the secret's NAME or ID"),
	}
	yes := cmd.Flags().Bool("yes", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.connect()
		if err != nil {
			return err
		}
		id, err := a.secretToDelete(cmd.Context(), c, args[0], *yes)
		if err != nil {
			return err
		}
		if err := c.DeleteSecret(cmd.Context(), id); err != nil {
			return err
		}
		a.note("Deleted.")
		return nil
	}
	return cmd
}

func (a *app) secretToDelete(
	ctx context.Context,
	c *client.Client,
	ref string,
	yes bool,
) (id string, err error) {
	if yes {
		return secretID(ctx, c, ref)
	}
	if err := a.canConfirm(); err != nil {
		return "", err
	}
	s, err := findSecret(ctx, c, ref)
	if err != nil {
		return "", err
	}
	return s.ID, a.confirm(
		ctx,
		fmt.Sprintf("Delete %s (%s) and all its values for good?", s.Name, s.MaskedValue),
	)
}

var uuidPattern = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// secretID returns the id of the secret that a NAME or an ID stands for. No name has a hyphen, so
// that nothing is both.
func secretID(ctx context.Context, c *client.Client, ref string) (string, error) {
	if uuidPattern.MatchString(ref) {
		return ref, nil
	}
	s, err := findSecret(ctx, c, ref)
	return s.ID, err
}

// findSecret returns the secret that a NAME or an ID stands for.
func findSecret(ctx context.Context, c *client.Client, ref string) (wire.Secret, error) {
	if uuidPattern.MatchString(ref) {
		s, err := c.GetSecret(ctx, ref)
		if refused, ok := errors.AsType[*client.Error](
			err,
		); ok &&
			refused.Status == http.StatusNotFound {
			return s, errNoSuchSecret
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

var errNoSuchSecret = errors.New(
	`you have no such secret: "keysake secrets list" shows those you have`,
)

func (a *app) printSecret(s wire.Secret, asJSON bool) error {
	if asJSON {
		return a.printJSON(s)
	}
	return a.printTable(table{
		{"name", s.Name},
		{"provider", or(providerOf(s))},
		{"value", s.MaskedValue},
		{"created", moment(&s.CreatedAt)},
		{"updated", moment(&s.UpdatedAt)},
		{"id", s.ID},
	})
}

func providerOf(s wire.Secret) string {
	if s.Provider == nil {
		return ""
	}
	return *s.Provider
}
