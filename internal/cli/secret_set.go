package cli

import (
	"context"
	"errors"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// A newSecret is what "secrets set" is told.
type newSecret struct {
	name, preset, provider string
	from                   *valueSource
	asJSON                 *bool
}

func newSecretsSet(a *app) *cobra.Command {
	in := new(newSecret)
	cmd := &cobra.Command{
		Use:   "set {NAME | --preset PROVIDER}",
		Short: "Create a secret",
		Long: `Creates a secret, and shows it as it will be seen from now on. With --preset its name follows from the provider, and "keysake
presets" lists those; else NAME is the environment variable that it becomes. If you have a secret of that name already,
"keysake secrets update" gives it a new value. It needs the scope secrets:write.

` + valueHelp + `

A value that looks like another provider's key, or like one that lost its end, is stored all the same; you are told of it.`,
		Example: `  keysake secrets set --preset openai
  keysake secrets set DATABASE_PASSWORD < password.txt
  keysake secrets set DEPLOY_KEY --from-file ~/.ssh/deploy`,
		Args: thenNoValue(1),
	}
	cmd.Flags().
		StringVar(
			&in.preset, "preset", "",
			"create the secret of this `PROVIDER`, under the provider's own name",
		)
	cmd.Flags().
		StringVar(
			&in.provider, "provider", "", "say that the secret NAME is a key of this `PROVIDER`",
		)
	cmd.MarkFlagsMutuallyExclusive("preset", "provider")
	in.from, in.asJSON = valueFlags(cmd), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			in.name = args[0]
		}
		return a.setSecret(cmd.Context(), in)
	}
	return cmd
}

func (a *app) setSecret(ctx context.Context, in *newSecret) error {
	switch {
	case in.name == "" && in.preset == "":
		return usagef(
			`give the secret's NAME, or a provider by --preset; see "keysake secrets set --help"`,
		)
	case in.name != "" && in.preset != "":
		return usagef(
			"with --preset the name follows from the provider: leave NAME out, or use --provider in place of --preset",
		)
	}
	known, err := catalog.Load()
	if err != nil {
		return err
	}
	if known.Recognise("", plaintext.FromString(in.name)).Matched.ID != "" {
		return &usageError{errValueArgument}
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	value, err := a.readValue(ctx, in.from, "Value")
	if err != nil {
		return err
	}
	a.hint(known, in.preset+in.provider, value)
	made, err := in.create(ctx, c, value)
	if refused, ok := errors.AsType[*client.Error](
		err,
	); ok &&
		refused.Status == http.StatusConflict {
		return errors.New(
			`you have a secret of that name: give it a new value with "keysake secrets update"`,
		)
	}
	if err != nil {
		return err
	}
	a.note("Created.")
	return a.printSecret(made, *in.asJSON)
}

func (in *newSecret) create(
	ctx context.Context,
	c *client.Client,
	value plaintext.Value,
) (wire.Secret, error) {
	if in.preset != "" {
		return c.CreateFromPreset(ctx, wire.CreateFromPreset{Provider: in.preset, Value: value})
	}
	body := wire.CreateSecret{Name: in.name, Value: value}
	if in.provider != "" {
		body.Provider = &in.provider
	}
	return c.CreateSecret(ctx, body)
}

// hint tells what a value looks like, if it does not look like what it is said to be. Of a value
// that nobody says anything of, only that it looks like a provider's key is worth telling.
func (a *app) hint(known *catalog.Catalog, provider string, value plaintext.Value) {
	r := known.Recognise(provider, value)
	if value.Len() == 0 || (r.Chosen.ID == "" && r.Matched.ID == "") {
		return
	}
	for _, line := range r.Hints() {
		a.note("Hint: %s", line)
	}
}

func newSecretsUpdate(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "update NAME|ID",
		Short: "Give a secret a new value",
		Long: `Gives a secret its next value, and shows it as it will be seen from now on. It needs the scope secrets:write, and
secrets:read to find a NAME.

` + valueHelp,
		Example: `  keysake secrets update OPENAI_API_KEY
  keysake secrets update DATABASE_PASSWORD < password.txt`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errValueArgument
			}
			return one("the secret's NAME or ID")(cmd, args)
		},
	}
	from, asJSON := valueFlags(cmd), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.connect()
		if err != nil {
			return err
		}
		id, err := secretID(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		value, err := a.readValue(cmd.Context(), from, "New value")
		if err != nil {
			return err
		}
		s, err := c.UpdateSecret(cmd.Context(), id, wire.UpdateSecret{Value: value})
		if err != nil {
			return err
		}
		a.note("Updated.")
		return a.printSecret(s, *asJSON)
	}
	return cmd
}
