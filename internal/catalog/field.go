package catalog

import (
	"bytes"
	"cmp"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// A Field is one input of a preset. Exactly one field of an entry is both secret and required: the
// value of the preset.
type Field struct {
	ID         string   `json:"id"`
	Label      string   `json:"label"`
	Secret     bool     `json:"secret,omitempty"`
	Required   bool     `json:"required,omitempty"`
	Env        string   `json:"env,omitempty"`
	EnvAliases []string `json:"env_aliases,omitempty"`
	// in bytes; no format matches anything longer. 0 is defaultMaxLength.
	MaxLength int      `json:"max_length,omitempty"`
	Formats   []Format `json:"formats,omitempty"` // the first match names the key
}

// A Format is one shape that a key can have. Env, EnvAliases and Auth, where given, override those
// of the field and the attach rules.
type Format struct {
	ID         string   `json:"id"`
	Prefix     string   `json:"prefix,omitempty"` // what every match of Regex begins with
	Regex      string   `json:"regex"`            // RE2; matches the whole key
	Distinct   bool     `json:"distinct,omitempty"`
	Checksum   string   `json:"checksum,omitempty"` // github_crc32
	Traits     []Trait  `json:"traits,omitempty"`
	Env        string   `json:"env,omitempty"`
	EnvAliases []string `json:"env_aliases,omitempty"`
	Auth       string   `json:"auth,omitempty"`
	Mask       MaskHint `json:"mask,omitzero"`
	// with macros such as {a*93}, so that no example looks like a key
	Examples []string `json:"examples"`
}

// A MaskHint tells how much of a format is public. It is for hints only: what a read shows, [Mask]
// decides.
type MaskHint struct {
	Head int `json:"head,omitempty"`
	Tail int `json:"tail,omitempty"`
}

// A Trait is something that a user should know about a kind of key.
type Trait string

// The traits there are.
const (
	// manages an organisation, and often can do nothing else
	TraitAdmin       Trait = "admin"
	TraitRefresh     Trait = "refresh"      // is exchanged for the token that programs use
	TraitShortLived  Trait = "short_lived"  // stops working by itself, soon
	TraitPublishable Trait = "publishable"  // is meant to be seen by anybody
	TraitOAuth       Trait = "oauth"        // comes from a login, not from a page of keys
	TraitLegacy      Trait = "legacy"       // is no longer issued
	TraitNeverVerify Trait = "never_verify" // is used up or changed by asking about it
)

// defaultMaxLength is far above the longest key known, a token of about 520 characters, and leaves
// room for a large JWT. It keeps the work on a value of the largest size near nothing.
const defaultMaxLength = 4096

// A format is a [Format], compiled.
type format struct {
	id         string
	prefix     []byte
	regex      *regexp.Regexp
	maxLength  int
	distinct   bool
	checksum   string
	traits     []Trait
	envVarName string
}

// compileWhole compiles an expression that must match all of a text, and tells with which
// characters every match begins. It is parsed alone first: "a)|(?:b" is no expression, and would
// undo the anchors.
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

// compileFormat reports a format that cannot be compiled.
func compileFormat(at place, f Field, described Format) (format, bool) {
	whole, literal, err := compileWhole(described.Regex)
	if err != nil {
		at.in("regex").fault("%v", err)
		return format{}, false
	}
	at.in("prefix").
		require(
			strings.HasPrefix(literal, described.Prefix),
			"the regex allows keys that do not begin with it",
		)
	return format{
		id:         described.ID,
		prefix:     []byte(described.Prefix),
		regex:      whole,
		maxLength:  cmp.Or(f.MaxLength, defaultMaxLength),
		distinct:   described.Distinct,
		checksum:   described.Checksum,
		traits:     slices.Clone(described.Traits),
		envVarName: cmp.Or(described.Env, f.Env),
	}, true
}

// matches tells whether b, all of it, has the format. The length and the prefix go first, because
// they cost nothing.
func (f format) matches(b []byte) bool { return f.begins(b) && f.regex.Match(b) }

func (f format) begins(b []byte) bool {
	return len(b) <= f.maxLength && bytes.HasPrefix(b, f.prefix)
}
