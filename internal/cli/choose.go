package cli

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/wire"
)

// maxLeased is how many secrets one lease can have.
const maxLeased = 50

// A choice is which secrets a run or a ticket gets.
type choice struct {
	refs    []string // NAME, ID or GLOB
	presets []string
	all     bool
	from    string // the file that it was read from, or ""
}

func choiceFlags(cmd *cobra.Command) *choice {
	c := new(choice)
	f := cmd.Flags()
	f.StringArrayVarP(&c.refs, "secret", "s", nil,
		"give the secret with this `NAME`, ID or pattern such as 'AWS_*' (repeatable)")
	f.StringArrayVar(&c.presets, "preset", nil, "give the secret of this `PROVIDER` (repeatable)")
	f.BoolVar(&c.all, "all", false, "give all your secrets")
	return c
}

func (c *choice) empty() bool { return len(c.refs) == 0 && len(c.presets) == 0 && !c.all }

// of returns the chosen secrets by name. It warns of a pattern without a match; a name, ID or
// provider without one is an error.
func (c *choice) of(a *app, list []wire.Secret) ([]wire.Secret, error) {
	var chosen []wire.Secret
	if c.all {
		chosen = slices.Clone(list)
	}
	for i, ref := range c.refs {
		found, err := byRef(list, ref)
		if err != nil {
			return nil, fmt.Errorf("%s %w", c.describe(i), err)
		}
		if len(found) == 0 {
			a.infof("Warning: %s matches no secret.", c.describe(i))
		}
		chosen = append(chosen, found...)
	}
	for _, provider := range c.presets {
		found, err := byPreset(list, provider)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, found...)
	}
	return tidy(chosen), nil
}

// tidy returns the secrets by name, each once.
func tidy(secrets []wire.Secret) []wire.Secret {
	slices.SortFunc(secrets, func(x, y wire.Secret) int { return cmp.Compare(x.Name, y.Name) })
	return slices.CompactFunc(secrets, func(x, y wire.Secret) bool { return x.ID == y.ID })
}

var conventional = regexp.MustCompile(`^[A-Z][A-Z_]*(_[A-Z0-9]+)*[*?]?$`)

// describe names what was asked for, if it looks like the name of a variable. Anything else may be
// a misplaced value.
func (c *choice) describe(i int) string {
	if c.from != "" || conventional.MatchString(c.refs[i]) {
		return c.refs[i]
	}
	return fmt.Sprintf("--secret number %d", i+1)
}

var errNotThere = errors.New(`is none of your secrets: "keysake secrets list" shows them`)

// byRef returns the secrets with this name or ID, or with a name of this pattern.
func byRef(list []wire.Secret, ref string) ([]wire.Secret, error) {
	pattern := strings.ContainsAny(ref, `*?[\`)
	var found []wire.Secret
	for _, s := range list {
		matches := s.Name == ref || strings.EqualFold(s.ID, ref)
		if pattern {
			var err error
			if matches, err = path.Match(ref, s.Name); err != nil {
				return nil, usagef("is not a pattern: it may have *, ? and [A-Z]")
			}
		}
		if matches {
			found = append(found, s)
		}
	}
	if len(found) == 0 && !pattern {
		return nil, errNotThere
	}
	return found, nil
}

// byPreset returns the provider's secret: the one with the usual name or, without that, all that
// were recorded as that provider's.
func byPreset(list []wire.Secret, provider string) ([]wire.Secret, error) {
	known, err := catalog.LoadNames()
	if err != nil {
		return nil, err
	}
	preset, ok := known.Preset(provider)
	if !ok {
		return nil, usagef(`--preset: no such provider: "keysake presets" lists them`)
	}
	var found []wire.Secret
	for _, s := range list {
		if providerOf(s) == provider {
			found = append(found, s)
		}
	}
	for _, s := range list {
		if s.Name == preset.EnvVarName {
			return []wire.Secret{s}, nil
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf(`you have no secret of %s: create it with `+
			`"keysake secrets set --preset %s"`, preset.Name, preset.ID)
	}
	return found, nil
}

// ttlSeconds returns the lifetime of a lease for the server, which chooses where there is none.
func ttlSeconds(ttl time.Duration) (*int64, error) {
	switch {
	case ttl == 0:
		return nil, nil //nolint:nilnil // the server's default
	case ttl < time.Minute || ttl > 7*24*time.Hour:
		return nil, usagef("--ttl must be from 1m to 168h")
	}
	return new(int64(ttl / time.Second)), nil
}

// idsOf returns the ids for a lease.
func idsOf(secrets []wire.Secret) ([]string, error) {
	if len(secrets) > maxLeased {
		return nil, fmt.Errorf("these are %d secrets, and one lease has at most %d: choose fewer",
			len(secrets), maxLeased)
	}
	ids := make([]string, len(secrets))
	for i, s := range secrets {
		ids[i] = s.ID
	}
	return ids, nil
}
