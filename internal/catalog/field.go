package catalog

import (
	"bytes"
	"cmp"
	"regexp"
	"regexp/syntax"
	"slices"
	"sync"
)

// A Field is one input of a preset. Exactly one field of an entry is both secret and required: it
// is the value of the secret.
type Field struct {
	ID         string   `json:"id"`
	Label      string   `json:"label"`
	Secret     bool     `json:"secret,omitempty"`
	Required   bool     `json:"required,omitempty"`
	Env        string   `json:"env,omitempty"`
	EnvAliases []string `json:"env_aliases,omitempty"`
	// MaxLength is the length in bytes up to which a format can match. 0 means defaultMaxLength.
	MaxLength int      `json:"max_length,omitempty"`
	Formats   []Format `json:"formats,omitempty"` // the first match applies
}

// variables returns the variables in which programs find the field.
func (f Field) variables() []string {
	names := append([]string{f.Env}, f.EnvAliases...)
	for _, format := range f.Formats {
		names = append(append(names, format.Env), format.EnvAliases...)
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

// A Format is one form that a key can have. Its Env, EnvAliases and Auth override those of the
// field and the attach rules.
type Format struct {
	ID         string   `json:"id"`
	Prefix     string   `json:"prefix,omitempty"` // of every match of Regex
	Regex      string   `json:"regex"`            // RE2, for the whole key
	Distinct   bool     `json:"distinct,omitempty"`
	Checksum   string   `json:"checksum,omitempty"` // github_crc32
	Traits     []Trait  `json:"traits,omitempty"`
	Env        string   `json:"env,omitempty"`
	EnvAliases []string `json:"env_aliases,omitempty"`
	Auth       string   `json:"auth,omitempty"`
	Mask       MaskHint `json:"mask,omitzero"`
	// Examples have macros such as {a*93}, so that none of them looks like a key.
	Examples []string `json:"examples"`
}

// A MaskHint says how much of a format is public. It is only for hints: [Mask] decides what a read
// shows.
type MaskHint struct {
	Head int `json:"head,omitempty"`
	Tail int `json:"tail,omitempty"`
}

// A Trait is something that a user should know about a kind of key.
type Trait string

// The traits.
const (
	TraitAdmin       Trait = "admin"        // manages an organisation, and often nothing else
	TraitRefresh     Trait = "refresh"      // is exchanged for the token that programs use
	TraitShortLived  Trait = "short_lived"  // expires soon
	TraitPublishable Trait = "publishable"  // is not secret
	TraitOAuth       Trait = "oauth"        // comes from a login, not from a page of keys
	TraitLegacy      Trait = "legacy"       // is no longer issued
	TraitNeverVerify Trait = "never_verify" // a check would use it up or change it
)

// defaultMaxLength is far above the longest known key, of about 520 characters, and leaves room for
// a large JWT. It saves matching on large values.
const defaultMaxLength = 4096

// A format is a [Format], compiled.
type format struct {
	described  Format
	id         string
	prefix     []byte
	regex      func() *regexp.Regexp // nil if it is not one, which the checks prevent
	maxLength  int
	distinct   bool
	checksum   string
	traits     []Trait
	envVarName string
}

// compileWhole compiles an expression that must match a whole text, and returns the literal with
// which every match begins. It parses the expression alone first, because one such as "a)|(?:b"
// would undo the anchors.
func compileWhole(expression string) (whole *regexp.Regexp, literal string, err error) {
	alone, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil, "", err
	}
	if alone.Op == syntax.OpConcat {
		alone = alone.Sub[0]
	}
	if alone.Op == syntax.OpLiteral && alone.Flags&syntax.FoldCase == 0 {
		literal = string(alone.Rune)
	}
	whole, err = regexp.Compile(`^(?:` + expression + `)$`)
	return whole, literal, err
}

// newFormat compiles no expression: there are a hundred of them, and a key needs one or two.
func newFormat(f Field, described Format) format {
	return format{
		described: described,

		id:     described.ID,
		prefix: []byte(described.Prefix),
		regex: sync.OnceValue(func() *regexp.Regexp {
			whole, _, err := compileWhole(described.Regex)
			if err != nil {
				return nil
			}
			return whole
		}),
		maxLength:  cmp.Or(f.MaxLength, defaultMaxLength),
		distinct:   described.Distinct,
		checksum:   described.Checksum,
		traits:     slices.Clone(described.Traits),
		envVarName: cmp.Or(described.Env, f.Env),
	}
}

// matches reports whether all of b has the format.
func (f format) matches(b []byte) bool {
	if !f.hasPrefix(b) {
		return false
	}
	whole := f.regex()
	return whole != nil && whole.Match(b)
}

func (f format) hasPrefix(b []byte) bool {
	return len(b) <= f.maxLength && bytes.HasPrefix(b, f.prefix)
}
