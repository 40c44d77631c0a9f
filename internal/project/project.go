// Package project finds and reads keysake.toml, in which a project writes down which secrets its
// programs need: names, never values.
//
//	secrets = ["DATABASE_PASSWORD", "STRIPE_KEY"]
//	presets = ["openai"]
//
//	[map]
//	DATABASE_PASSWORD = "PGPASSWORD"
package project

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/pelletier/go-toml/v2"
)

// FileName is the name of the file.
const FileName = "keysake.toml"

const maxBytes = 64 << 10

// A Project is what the file says.
type Project struct {
	Path    string            `toml:"-"`
	Secrets []string          `toml:"secrets"`
	Presets []string          `toml:"presets"`
	Map     map[string]string `toml:"map"`
}

// ErrNone means that there is no file.
var ErrNone = errors.New("there is no " + FileName + " here or above")

// Find reads the first file in dir and the folders above it. A file that someone else could have
// written is an error: it would choose which secrets a program gets. [ErrNone]: there is none.
func Find(dir string) (Project, error) {
	for {
		path := filepath.Join(dir, FileName)
		p, err := read(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
		above := filepath.Dir(dir)
		if above == dir {
			return Project{}, ErrNone
		}
		dir = above
	}
}

func read(path string) (Project, error) {
	f, err := open(path)
	if err != nil {
		return Project{}, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err != nil {
		return Project{}, err
	}
	if err := trust(info); err != nil {
		return Project{}, fmt.Errorf("%s is not read: %w", path, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return Project{}, err
	}
	if len(text) > maxBytes {
		return Project{}, fmt.Errorf("%s is longer than %d bytes", path, maxBytes)
	}
	p, err := parse(text)
	if err != nil {
		return Project{}, fmt.Errorf("%s: %w", path, err)
	}
	p.Path = path
	return p, nil
}

var (
	namePattern   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	presetPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
)

// parse reads a file. Its errors quote nothing but line numbers: a name that is not one may be a
// value.
func parse(text []byte) (Project, error) {
	var p Project
	err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&p)
	if unknown, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		line, _ := unknown.Errors[0].Position()
		return Project{}, fmt.Errorf("line %d: unknown setting: it has secrets, presets and "+
			"[map], and never a value", line)
	}
	if broken, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, _ := broken.Position()
		return Project{}, fmt.Errorf("line %d cannot be read as TOML of this form", line)
	}
	if err != nil {
		return Project{}, errors.New("it cannot be read as TOML of this form")
	}
	for i, name := range p.Secrets {
		if !namePattern.MatchString(name) {
			return Project{}, fmt.Errorf("entry %d of secrets is not the name of a secret", i+1)
		}
	}
	for i, id := range p.Presets {
		if !presetPattern.MatchString(id) {
			return Project{}, fmt.Errorf("entry %d of presets is not the name of a provider", i+1)
		}
	}
	for from, to := range p.Map {
		if !namePattern.MatchString(from) || !namePattern.MatchString(to) {
			return Project{}, errors.New("an entry of [map] is not NAME = \"OTHER\"")
		}
	}
	return p, nil
}

var errSymlink = errors.New("it is a symbolic link")

// open opens a file that is no symbolic link, without waiting for the writer of a pipe.
func open(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return nil, fmt.Errorf("%s is not read: %w", path, errSymlink)
	}
	return os.OpenFile(path, os.O_RDONLY|noFollow, 0)
}
