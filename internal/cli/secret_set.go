package cli

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// A newSecret holds the arguments of "secrets set".
type newSecret struct {
	name, preset, provider string
	replace, probe         *bool
	expiry                 *expiryFlags
	from                   *valueSource
	asJSON                 *bool
}

const setLong = `Create a secret, and print it with its mask. With --preset, its name is the one
that the provider's programs expect; "keysake presets" lists the providers.
Otherwise, NAME is the environment variable that it becomes. With --replace, a
secret that exists gets the value as its next version. Needs the scope
secrets:write, and secrets:read to replace.

` + valueHelp + `

A value that looks like another provider's key, or like a key that was cut off,
is stored, and you get a hint.`

func newSecretsSet(a *app) *cobra.Command {
	in := new(newSecret)
	cmd := &cobra.Command{
		Use:   "set {NAME | --preset PROVIDER}",
		Short: "Create a secret, or replace its value",
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
	in.replace = f.Bool("replace", false, "update the secret if it exists")
	in.probe, in.expiry = probeFlag(cmd), expiryFlagsOf(cmd)
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
	known, err := catalog.Load()
	if err != nil {
		return err
	}
	if err := in.check(known, a.now()); err != nil {
		return err
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	value, err := a.readValue(ctx, in.from, "Value", in.preset != "")
	if err != nil {
		return err
	}
	a.hint(known, in.preset+in.provider, value)
	made, err := in.create(ctx, c, value)
	if hasStatus(err, http.StatusConflict) {
		if *in.replace {
			return a.replaceSecret(ctx, c, known, in, value)
		}
		return errors.New(`a secret of that name already exists: add --replace, ` +
			`or use "keysake secrets update", to give it a new value`)
	}
	if err != nil {
		return err
	}
	a.infof("Created.")
	return a.finishStored(ctx, c, made, in.more())
}

// afterStoring says what a command does with a secret that it stored.
type afterStoring struct {
	asJSON, probe *bool
	expiry        *expiryFlags
}

func (in *newSecret) more() afterStoring { return afterStoring{in.asJSON, in.probe, in.expiry} }

// finishStored shows a secret that was stored, stores when it expires, and asks its provider.
func (a *app) finishStored(
	ctx context.Context, c *client.Client, s wire.Secret, more afterStoring,
) error {
	if err := show(a, s, *more.asJSON, secretGrid); err != nil {
		return err
	}
	if err := a.setExpiryOf(ctx, c, s, more.expiry); err != nil {
		return err
	}
	return a.probeStored(ctx, c, s, *more.probe)
}

// check returns a usage error for arguments that do not say which secret is meant.
func (in *newSecret) check(known *catalog.Catalog, now time.Time) error {
	switch {
	case in.name == "" && in.preset == "":
		return usagef(`NAME is missing: give one, or a provider with --preset; ` +
			`see "keysake secrets set --help"`)
	case strings.Contains(in.name, "="):
		return &usageError{errAssignment}
	case in.name != "" && in.preset != "":
		return usagef("NAME and --preset cannot be combined: " +
			"omit NAME, or use --provider instead of --preset")
	case known.Recognise("", plaintext.FromString(in.name)).Matched.ID != "":
		return &usageError{errValueArgument}
	}
	return in.expiry.check(now)
}

// replaceSecret gives the secret that a create found in its way the value.
func (a *app) replaceSecret(
	ctx context.Context, c *client.Client, known *catalog.Catalog, in *newSecret,
	value plaintext.Value,
) error {
	name := in.name
	if p, found := known.Preset(in.preset); found {
		name = p.EnvVarName
	}
	was, err := findSecret(ctx, c, name)
	if err != nil {
		return err
	}
	if isKey(known, was) {
		value = plaintext.New(withoutEnd(value.Reveal()))
	}
	return a.updateSecret(ctx, c, was, value, in.more())
}

// isKey reports whether a secret is a provider's key, under its usual name: it has no line ending.
func isKey(known *catalog.Catalog, s wire.Secret) bool {
	preset, found := known.Preset(providerOf(s))
	return found && s.Name == preset.EnvVarName
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
// provider, it only reports a value that looks like some provider's key, or that an editor marked.
func (a *app) hint(known *catalog.Catalog, provider string, value plaintext.Value) {
	r := known.Recognise(provider, value)
	if r.Chosen.ID == "" && r.Matched.ID == "" && !slices.Contains(r.Paste, catalog.PasteMark) {
		return
	}
	for _, line := range r.Hints() {
		if value.Len() > 0 {
			a.infof("Hint: %s", line)
		}
	}
}

func newSecretsUpdate(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "update NAME|ID",
		Short: "Give a secret a new value",
		Long: `Give a secret a new value, and print it with its new mask. The old value is kept
as a version; see "keysake secrets versions". The value that it has already makes
no version, if you could have it given to a command. Needs the scope
secrets:write, and secrets:read to find a NAME.

` + valueHelp,
		Example: `  keysake secrets update OPENAI_API_KEY
  keysake secrets update DATABASE_PASSWORD < password.txt`,
		Args: cobra.MatchAll(noValueArg(1), exactlyOne("the secret's NAME or ID")),
	}
	from := valueFlags(cmd)
	more := afterStoring{jsonFlag(cmd), probeFlag(cmd), expiryFlagsOf(cmd)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := more.expiry.check(a.now()); err != nil {
			return err
		}
		known, err := catalog.Load()
		if err != nil {
			return err
		}
		c, err := a.connect()
		if err != nil {
			return err
		}
		if uuidPattern.MatchString(args[0]) {
			return a.updateByID(cmd.Context(), c, known, args[0], from, more)
		}
		was, err := findSecret(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		value, err := a.readValue(cmd.Context(), from, "New value", isKey(known, was))
		if err != nil {
			return err
		}
		a.hint(known, providerOf(was), value)
		return a.updateSecret(cmd.Context(), c, was, value, more)
	}
	return cmd
}

// updateByID asks for nothing before, because the API key may be one that only writes. What the
// secret is, the answer says.
func (a *app) updateByID(
	ctx context.Context, c *client.Client, known *catalog.Catalog, id string, from *valueSource,
	more afterStoring,
) error {
	value, err := a.readValue(ctx, from, "New value", false)
	if err != nil {
		return err
	}
	line := plaintext.New(withoutEnd(value.Reveal()))
	if known.Recognise("", line).Matched.ID != "" {
		value = line // a provider's key has no line ending
	}
	now, err := c.UpdateSecret(ctx, id, wire.UpdateSecret{Value: value})
	if hasStatus(err, http.StatusNotFound) {
		return errNoSuchSecret
	}
	if err != nil {
		return err
	}
	a.hint(known, providerOf(now), value)
	a.infof("It has this value now.")
	return a.finishStored(ctx, c, now, more)
}

func (a *app) updateSecret(
	ctx context.Context, c *client.Client, was wire.Secret, value plaintext.Value,
	more afterStoring,
) error {
	now, err := c.UpdateSecret(ctx, was.ID, wire.UpdateSecret{Value: value})
	if err != nil {
		return err
	}
	if now.UpdatedAt.Equal(was.UpdatedAt.Time) {
		a.infof("Unchanged: it has this value already.")
	} else {
		a.infof("Updated.")
	}
	return a.finishStored(ctx, c, now, more)
}
