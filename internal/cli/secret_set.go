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

// A newSecret holds the arguments of "secrets set".
type newSecret struct {
	name, preset, provider string
	from                   *valueSource
	asJSON                 *bool
}

const setLong = `Create a secret, and print it with its mask. With --preset, its name is the one
that the provider's programs expect; "keysake presets" lists the providers.
Otherwise, NAME is the environment variable that it becomes. To give an existing
secret a new value, use "keysake secrets update". Needs the scope secrets:write.

` + valueHelp + `

A value that looks like another provider's key, or like a key that was cut off,
is stored, and you get a hint.`

func newSecretsSet(a *app) *cobra.Command {
	in := new(newSecret)
	cmd := &cobra.Command{
		Use:   "set {NAME | --preset PROVIDER}",
		Short: "Create a secret",
		Long:  setLong,
		Example: `  keysake secrets set --preset openai
  keysake secrets set DATABASE_PASSWORD < password.txt
  keysake secrets set DEPLOY_KEY --from-file ~/.ssh/deploy`,
		Args: noValueArg(1),
	}
	f := cmd.Flags()
	f.StringVar(&in.preset, "preset", "",
		"create the secret of this `PROVIDER`, under its usual name")
	f.StringVar(&in.provider, "provider", "", "record that NAME is a key of this `PROVIDER`")
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
		return usagef(`NAME is missing: give one, or a provider with --preset; ` +
			`see "keysake secrets set --help"`)
	case in.name != "" && in.preset != "":
		return usagef("NAME and --preset cannot be combined: " +
			"omit NAME, or use --provider instead of --preset")
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
	if hasStatus(err, http.StatusConflict) {
		return errors.New(`a secret of that name already exists: ` +
			`use "keysake secrets update" to give it a new value`)
	}
	if err != nil {
		return err
	}
	a.infof("Created.")
	return show(a, made, *in.asJSON, secretGrid)
}

func (in *newSecret) create(
	ctx context.Context, c *client.Client, value plaintext.Value,
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

// hint prints what a value looks like, if that is not what the provider's keys look like. Without a
// provider, it only reports a value that looks like some provider's key.
func (a *app) hint(known *catalog.Catalog, provider string, value plaintext.Value) {
	r := known.Recognise(provider, value)
	if value.Len() == 0 || (r.Chosen.ID == "" && r.Matched.ID == "") {
		return
	}
	for _, line := range r.Hints() {
		a.infof("Hint: %s", line)
	}
}

func newSecretsUpdate(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "update NAME|ID",
		Short: "Give a secret a new value",
		Long: `Give a secret a new value, and print it with its new mask. The old value is kept
as a version; see "keysake secrets versions". Needs the scope secrets:write, and
secrets:read to find a NAME.

` + valueHelp,
		Example: `  keysake secrets update OPENAI_API_KEY
  keysake secrets update DATABASE_PASSWORD < password.txt`,
		Args: cobra.MatchAll(noValueArg(1), exactlyOne("the secret's NAME or ID")),
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
		a.infof("Updated.")
		return show(a, s, *asJSON, secretGrid)
	}
	return cmd
}
