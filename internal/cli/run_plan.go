package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/dotenv"
	"github.com/keysake/keysake/internal/environ"
	"github.com/keysake/keysake/internal/memfile"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

const (
	ticketVariable   = "KEYSAKE_TICKET"
	maxTicketBytes   = 4 << 10
	maxTemplateBytes = 1 << 20
)

// A plan is what the arguments of "run" say, checked.
type plan struct {
	names    environ.Names
	ttl      *int64          // in seconds; the server's choice without one
	ticket   plaintext.Value // empty without one
	files    []fileWanted
	template []templateLine
}

// A fileWanted is a secret that becomes a file.
type fileWanted struct{ secret, path string } // path "": one without a name

// A templateLine is a variable of a template.
type templateLine struct {
	line  int
	name  string
	value environ.Template
}

func (a *app) plan(in *running) (*plan, error) {
	known, err := catalog.LoadNames()
	if err != nil {
		return nil, err
	}
	ttl, err := ttlSeconds(in.ttl)
	if err != nil {
		return nil, err
	}
	p := &plan{ttl: ttl, names: environ.Names{
		Map: map[string]string{}, Prefix: in.prefix, Aliases: known.Aliases, Check: checkVariable,
	}}
	if in.noAliases {
		p.names.Aliases = nil
	}
	return p, errors.Join(
		p.readMaps(in.maps), p.readFiles(in.files), p.readTemplate(in.template),
		a.readTicket(in, p),
	)
}

// checkVariable refuses what no secret may be named, and says why.
func checkVariable(name string) error {
	_, err := vault.NewName(name)
	if broken, ok := errors.AsType[*vault.Error](err); ok && len(broken.Fields) > 0 {
		return errors.New(broken.Fields[0].Msg)
	}
	return err
}

var secretName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (p *plan) readMaps(maps []string) error {
	for _, m := range maps {
		from, to, found := strings.Cut(m, "=")
		if !found || !secretName.MatchString(from) || !secretName.MatchString(to) {
			return usagef("--map needs NAME=OTHER")
		}
		if p.names.Map[from] != "" {
			return usagef("--map names one secret twice")
		}
		p.names.Map[from] = to
	}
	return nil
}

func (p *plan) readFiles(files []string) error {
	for _, f := range files {
		secret, path, found := strings.Cut(f, "=")
		if !secretName.MatchString(secret) || found && path == "" {
			return usagef("--file needs NAME or NAME=PATH")
		}
		if slices.ContainsFunc(p.files, func(w fileWanted) bool { return w.secret == secret }) {
			return usagef("--file names one secret twice")
		}
		if found {
			absolute, err := filepath.Abs(path)
			if err == nil {
				err = memfile.CheckFolder(absolute)
			}
			if err != nil {
				return err
			}
			path = absolute
		}
		p.files = append(p.files, fileWanted{secret, path})
	}
	return nil
}

func (p *plan) readTemplate(path string) error {
	if path == "" {
		return nil
	}
	text, err := readSmall(path, maxTemplateBytes)
	if err != nil {
		return fmt.Errorf("--env-file: %w", err)
	}
	pairs, err := dotenv.Parse(text)
	if err != nil {
		return fmt.Errorf("--env-file: %s, %w", path, err)
	}
	seen := map[string]bool{}
	for _, pair := range pairs {
		if seen[pair.Name] {
			return fmt.Errorf("--env-file: %s, line %d: %s is there twice",
				path, pair.Line, pair.Name)
		}
		seen[pair.Name] = true
		value := environ.NewTemplate(string(pair.Value.Reveal()))
		if err := checkVariable(pair.Name); err != nil && len(value.Secrets()) > 0 {
			return fmt.Errorf("--env-file: %s, line %d: %s cannot have a secret in it: %w",
				path, pair.Line, pair.Name, err)
		}
		p.template = append(p.template, templateLine{pair.Line, pair.Name, value})
	}
	return nil
}

// readTicket takes the ticket from its file or its variable.
func (a *app) readTicket(in *running, p *plan) error {
	text := a.getenv(ticketVariable)
	if in.ticketFile != "" {
		b, err := readSmall(in.ticketFile, maxTicketBytes)
		if err != nil {
			return fmt.Errorf("--ticket-file: %w", err)
		}
		text = string(b)
		clear(b)
	}
	text = strings.TrimSpace(text)
	switch {
	case text == "" && in.ticketFile != "":
		return errors.New("--ticket-file: the file is empty")
	case text == "":
		return nil
	case !in.choice.empty():
		return usagef("a ticket says which secrets there are: leave out --secret, --preset and " +
			"--all, or the ticket")
	case in.print:
		return usagef("--print would redeem the ticket: \"keysake lease show\" says what it has")
	case in.actFor != "":
		return usagef("a ticket says whose secrets there are: leave out --for, or the ticket")
	}
	p.ticket = plaintext.FromString(text)
	return nil
}

// needed returns the names of the secrets that files and templates need.
func (p *plan) needed() []string {
	var names []string
	for _, f := range p.files {
		names = append(names, f.secret)
	}
	for _, t := range p.template {
		names = append(names, t.value.Secrets()...)
	}
	return names
}
