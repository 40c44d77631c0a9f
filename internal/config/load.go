package config

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/spf13/pflag"
)

// Settings are the part of a [Config] that one command takes: each from its flag, else from its
// variable, else from its default.
type Settings struct {
	cfg    Config
	fields []*field
}

// A field is one setting: what its tags say, and where it goes.
type field struct {
	value
	flag, arg, preset, help string
	taken                   bool // by this command; the others keep their defaults
	given                   bool // by a flag
}

// New returns the settings of these flags, or of all if none is named.
func New(flags ...string) *Settings {
	s := new(Settings)
	cfg := reflect.ValueOf(&s.cfg).Elem()
	for i, tags := range reflect.VisibleFields(cfg.Type()) {
		flag := tags.Tag.Get("flag")
		s.fields = append(s.fields, &field{
			value:  value{cfg.Field(i).Addr().Interface()},
			flag:   flag,
			arg:    tags.Tag.Get("arg"),
			preset: tags.Tag.Get("default"),
			help:   tags.Tag.Get("help"),
			taken:  len(flags) == 0 || slices.Contains(flags, flag),
		})
	}
	return s
}

// AddFlags defines the flags.
func (s *Settings) AddFlags(fs *pflag.FlagSet) {
	for _, f := range s.fields {
		if !f.taken {
			continue
		}
		flag := fs.VarPF(f, f.flag, "", f.help)
		if f.arg == "" {
			flag.NoOptDefVal = "true" // a bool needs no argument
		}
	}
}

// Load returns the settings once the flags are parsed. An empty variable counts as none. What it
// returns is yet to be validated; the errors are about single settings that cannot be read.
func (s *Settings) Load(lookup func(string) (string, bool)) (Config, error) {
	for _, f := range s.fields {
		if f.given {
			continue
		}
		if text, _ := lookup(Variable(f.flag)); f.taken && text != "" {
			if err := f.set(text); err != nil {
				return Config{}, fmt.Errorf("%s: %w", Variable(f.flag), err)
			}
			continue
		}
		if f.preset != "" {
			if err := f.set(f.preset); err != nil {
				return Config{}, fmt.Errorf("the default of --%s: %w", f.flag, err)
			}
		}
	}
	if s.cfg.Data == "" && s.cfg.Dev {
		s.cfg.Data = DevData
	}
	return s.cfg, nil
}

// Set implements [pflag.Value].
func (f *field) Set(text string) error {
	f.given = true
	return f.set(text)
}

// String implements [pflag.Value]: the default, for help texts.
func (f *field) String() string { return f.preset }

// Type implements [pflag.Value]: what stands for the argument in help texts.
func (f *field) Type() string {
	if f.arg == "" {
		return "bool"
	}
	return f.arg
}
