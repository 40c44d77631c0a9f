package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/dotenv"
	"github.com/keysake/keysake/wire"
)

const importLong = `Store the variables of an environment file as secrets: all of them, or none. You
see their names and masks, and are asked to confirm, unless you give --yes; without
a terminal, --yes is required. With --dry-run you see what would be stored.

The file has lines NAME=VALUE, also with export, quotes and comments; a value in
quotes may have several lines. Nothing in it is expanded: a dollar sign is one. A
variable of a provider becomes the secret of its preset. A name that is in use
stops the import; with --replace, that secret gets the value as its next version.

Delete the file afterwards: it still has the values. Needs the scope
secrets:write.`

// An importCall holds the arguments of "secrets import".
type importCall struct {
	replace, dryRun, yes *bool
	asJSON               *bool
	fromFile             bool
}

func newSecretsImport(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import {FILE.env | -}",
		Short: "Store the variables of an environment file",
		Long:  importLong,
		Example: `  keysake secrets import .env --dry-run
  keysake secrets import .env --yes
  age --decrypt secrets.env.age | keysake secrets import - --yes`,
		Args: exactly("the FILE, or - for standard input,"),
	}
	in := importCall{
		replace: cmd.Flags().Bool("replace", false, "update the secrets that exist"),
		dryRun:  cmd.Flags().Bool("dry-run", false, "only show what would be stored"),
		yes:     yesFlag(cmd), asJSON: jsonFlag(cmd),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.canConfirm(*in.yes || *in.dryRun); err != nil {
			return err
		}
		pairs, err := a.readPairs(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		in.fromFile = args[0] != "-"
		return a.importSecrets(cmd.Context(), in, pairs)
	}
	return cmd
}

// readPairs reads an environment file.
func (a *app) readPairs(ctx context.Context, file string) ([]dotenv.Pair, error) {
	from := a.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // it was only read
		from = f
	}
	b, err := readContext(ctx, func() ([]byte, error) {
		return io.ReadAll(io.LimitReader(from, dotenv.MaxImport+1))
	})
	defer clear(b)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the file: %w", err)
	case len(b) > dotenv.MaxImport:
		return nil, fmt.Errorf("the file is too long: it may have %d bytes", dotenv.MaxImport)
	}
	pairs, err := dotenv.ParseImport(b)
	if err == nil && len(pairs) == 0 {
		err = errors.New("the file has no variable")
	}
	return pairs, err
}

func (a *app) importSecrets(ctx context.Context, in importCall, pairs []dotenv.Pair) error {
	known, err := catalog.Load()
	if err != nil {
		return err
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	body, preview := a.planImport(known, pairs)
	body.Replace = in.replace
	if !*in.asJSON || *in.dryRun {
		if err := show(a, preview, *in.asJSON, importGrid); err != nil {
			return err
		}
	}
	if *in.dryRun {
		a.infof("Nothing was stored: this is a dry run.")
		return nil
	}
	question := fmt.Sprintf("Store %s?", count(len(pairs), "secret", "secrets"))
	if err := a.confirm(ctx, *in.yes, question); err != nil {
		return err
	}
	stored, err := c.ImportSecrets(ctx, body)
	if err != nil {
		return nameImported(err, body)
	}
	advice := ""
	if in.fromFile {
		advice = " Delete the file: it still has the values."
	}
	a.infof("Stored %s.%s", count(stored.Total, "secret", "secrets"), advice)
	if *in.asJSON {
		return a.printJSON(stored)
	}
	return nil
}

// A previewed secret is what an import would store.
type previewed struct {
	Name     string `json:"name"`
	Provider string `json:"provider,omitempty"`
	Mask     string `json:"masked_value"`
}

// planImport returns the request, and what people may see of it. It prints the hints.
func (a *app) planImport(
	known *catalog.Catalog, pairs []dotenv.Pair,
) (body wire.ImportSecrets, preview []previewed) {
	for _, p := range pairs {
		one := wire.CreateSecret{Name: p.Name, Value: p.Value}
		seen := previewed{Name: p.Name, Mask: catalog.Mask(p.Value)}
		if preset, found := known.PresetNamed(p.Name); found {
			one.Provider, seen.Provider = &preset.ID, preset.ID
		}
		r := known.Recognise(seen.Provider, p.Value)
		if p.Value.Len() > 0 && (seen.Provider != "" || r.Matched.ID != "") {
			for _, line := range r.Hints() {
				a.infof("Hint: line %d: %s", p.Line, line)
			}
		}
		body.Secrets, preview = append(body.Secrets, one), append(preview, seen)
	}
	return body, preview
}

func importGrid(preview []previewed) grid {
	rows := grid{{"NAME", "PROVIDER", "VALUE"}}
	for _, p := range preview {
		rows = append(rows, []string{p.Name, orDash(p.Provider), p.Mask})
	}
	return rows
}

// nameImported names the secrets that a refusal is about: the server counts them.
func nameImported(err error, body wire.ImportSecrets) error {
	refused, ok := errors.AsType[*client.Error](err)
	if !ok {
		return err
	}
	named := *refused
	named.Fields = nil
	for _, f := range refused.Fields {
		if at, ok := importedAt(f.Loc); ok && at < len(body.Secrets) {
			f.Loc = append([]any{"body", body.Secrets[at].Name}, f.Loc[3:]...)
		}
		named.Fields = append(named.Fields, f)
	}
	if named.Status == http.StatusConflict {
		named.Detail = "nothing was stored, because of names in use: add --replace, or remove them"
	}
	return &named
}

// importedAt returns which secret of an import the place of a fault is in.
func importedAt(loc []any) (int, bool) {
	if len(loc) < 4 || loc[1] != "secrets" {
		return 0, false
	}
	at, ok := loc[2].(float64)
	return int(at), ok && at >= 0
}
