package config

import (
	"fmt"
	"slices"

	"github.com/spf13/pflag"
)

// Settings is the part of a [Config] that one command uses. Each setting comes from its flag, its
// environment variable or its default, in this order.
type Settings struct {
	cfg    Config
	fields []*field
}

// A field is a setting that is being read. It implements [pflag.Value].
type field struct {
	setting
	selected bool // the command uses it: others keep their defaults
	given    bool // by a flag
}

// New returns the settings with these flags, or all settings if there are none.
func New(flags ...string) *Settings {
	s := new(Settings)
	for _, each := range s.cfg.settings() {
		selected := len(flags) == 0 || slices.Contains(flags, each.flag)
		s.fields = append(s.fields, &field{setting: each, selected: selected})
	}
	return s
}

// AddFlags defines the flags.
func (s *Settings) AddFlags(fs *pflag.FlagSet) {
	for _, f := range s.fields {
		if !f.selected {
			continue
		}
		flag := fs.VarPF(f, f.flag, "", f.help)
		if f.arg == "" {
			flag.NoOptDefVal = "true" // a bool needs no argument
		}
	}
}

// Load returns the settings after the flags have been parsed. An empty variable counts as unset.
// Its errors are about values that cannot be parsed; [Config.Validate] checks the others.
func (s *Settings) Load(lookup func(string) (string, bool)) (Config, error) {
	for _, f := range s.fields {
		if f.given {
			continue
		}
		if text, _ := lookup(Variable(f.flag)); f.selected && text != "" {
			if err := f.parseVariable(text); err != nil {
				return Config{}, fmt.Errorf("%s: %w", Variable(f.flag), err)
			}
			continue
		}
		if f.defaultText != "" {
			if err := f.parse(f.defaultText); err != nil {
				return Config{}, fmt.Errorf("the default of --%s: %w", f.flag, err)
			}
		}
	}
	if err := s.checkPassword(); err != nil {
		return Config{}, err
	}
	if s.cfg.Data == "" && s.cfg.Dev {
		s.cfg.Data = DevData
	}
	return s.cfg, nil
}

// Set implements [pflag.Value].
func (f *field) Set(text string) error {
	f.given = true
	return f.parse(text)
}

// String implements [pflag.Value]: it returns the default, which help texts show.
func (f *field) String() string { return f.defaultText }

// Type implements [pflag.Value]: it returns what stands for the argument in help texts.
func (f *field) Type() string {
	if f.arg == "" {
		return "bool"
	}
	return f.arg
}
