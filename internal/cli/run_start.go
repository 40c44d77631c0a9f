package cli

import (
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/child"
	"github.com/keysake/keysake/internal/environ"
	"github.com/keysake/keysake/internal/memfile"
	"github.com/keysake/keysake/internal/redact"
	"github.com/keysake/keysake/plaintext"
)

func namesIn(values map[string]plaintext.Value) []string {
	return slices.Sorted(maps.Keys(values))
}

// environment makes the files, and the environment of the command. It says once what it replaced.
func (a *app) environment(
	in *running, p *plan, given leased,
) (env []string, files []memfile.File, err error) {
	variables, err := p.names.Variables(given.set)
	if err != nil {
		return nil, nil, err
	}
	inFile := map[string]plaintext.Value{}
	for _, f := range p.files {
		made, err := newFile(f, given.values[f.secret])
		if err != nil {
			return nil, files, err
		}
		files = append(files, made)
		inFile[f.secret] = plaintext.FromString(made.Path)
	}
	var settings []environ.Setting
	for _, v := range variables {
		value, isFile := inFile[v.Secret]
		if !isFile {
			value = given.values[v.Secret]
		}
		settings = append(settings, environ.Setting{Name: v.Name, Value: value})
	}
	for _, t := range p.template {
		value := t.value.Fill(func(name string) plaintext.Value { return given.values[name] })
		settings = slices.DeleteFunc(settings, func(s environ.Setting) bool {
			return s.Name == t.name // a line of the template says how the variable is to look
		})
		settings = append(settings, environ.Setting{Name: t.name, Value: value})
	}
	env, had, err := a.base(in).With(settings)
	if err == nil && len(had) > 0 {
		if in.keep {
			a.infof("Kept as they are set: %s.", strings.Join(had, ", "))
		} else {
			a.infof("Replaced in the environment: %s (--keep-existing keeps what is set).",
				strings.Join(had, ", "))
		}
	}
	if err == nil && given.broker != nil {
		env, err = given.broker.environment(env, settings)
	}
	return env, files, err
}

// base is the environment without secrets. What opens more secrets is not for the command.
func (a *app) base(in *running) environ.Environment {
	return environ.Environment{
		Base:  os.Environ(), // the command gets all of it
		Clean: in.clean, Keep: in.keep,
		Remove: []string{
			apiKeyVariable, apiKeyFileVariable, ticketVariable, identityVariable,
		},
	}
}

func newFile(f fileWanted, v plaintext.Value) (memfile.File, error) {
	if f.path == "" {
		return memfile.Nameless(v)
	}
	return memfile.Named(f.path, v)
}

func removeAll(files []memfile.File) error {
	var failed []error
	for _, f := range files {
		failed = append(failed, f.Remove())
	}
	return errors.Join(failed...)
}

// start becomes the command or, if its output is masked or a file is to be removed afterwards, ends
// as it ends. It returns only if the command was not started.
func (a *app) start(in *running, c child.Command, given leased, files []memfile.File) error {
	masks := redact.New(nil)
	if !in.noMask {
		masks = masksOf(given.values)
	}
	filter := child.Filter{
		Stdout: masked(os.Stdout, in.mask), Stderr: masked(os.Stderr, in.mask),
		Through: func(w io.Writer) io.WriteCloser { return masks.Writer(w) },
	}
	filter.Terminal = filter.Stdout && term.IsTerminal(1) || filter.Stderr && term.IsTerminal(2)
	if masks.Empty() {
		filter = child.Filter{}
	}
	a.releaseSignals()
	named := slices.ContainsFunc(files, func(f memfile.File) bool {
		return !strings.HasPrefix(f.Path, "/proc/self/fd/")
	})
	if !named && !filter.Stdout && !filter.Stderr && given.broker == nil {
		err := c.Exec()
		return errors.Join(err, removeAll(files))
	}
	end, err := c.Run(filter)
	if err != nil {
		return errors.Join(err, removeAll(files))
	}
	if err := errors.Join(given.broker.close(), removeAll(files)); err != nil {
		a.infof("Warning: %v.", err) // and the command ends as it ended
	}
	end.Raise()
	return nil
}

func masksOf(values map[string]plaintext.Value) *redact.Masks {
	var secrets []redact.Secret
	for _, name := range namesIn(values) {
		secrets = append(secrets, redact.Secret{
			Value: values[name], Mask: catalog.Mask(values[name]),
		})
	}
	return redact.New(secrets)
}

// masked reports whether a stream is masked: if it is no terminal, and goes somewhere.
func masked(f *os.File, always bool) bool {
	info, err := f.Stat()
	if err != nil {
		return false // it is closed
	}
	if null, err := os.Stat(os.DevNull); err == nil && os.SameFile(info, null) {
		return false
	}
	return always || !term.IsTerminal(int(f.Fd()))
}
