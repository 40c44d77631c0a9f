package catalog

import (
	"slices"
	"time"

	"github.com/keysake/keysake/plaintext"
)

// A Finding is what a check found out about a key. It has no part of the key.
type Finding struct {
	Outcome   Outcome
	Check     string            // the id of the check
	Status    int               // of the answer
	Note      string            // why, in a few words; often empty
	Facts     map[string]string // what the provider tells, by [Extract.To]; texts of others
	ExpiresAt time.Time         // when the key expires; zero if the provider does not say
}

// CheckOf returns the check for a value, under this provider. found is false where there is none:
// for kinds of keys that a check would use up, and where every check costs money.
func (c *Catalog) CheckOf(preset string, v plaintext.Value) (check Check, found bool) {
	p, _ := c.provider(preset)
	id := anyFormat
	if f, known := p.match(v.Reveal(), false); known {
		id = f.id
	}
	i := slices.IndexFunc(p.entry.Verify, func(c Check) bool {
		return c.OnByDefault() && slices.Contains(c.Formats, id)
	})
	if i < 0 || !p.entry.fills(p.entry.Verify[i].Request) {
		return Check{}, false
	}
	return p.entry.Verify[i], true
}

// CanCheck reports whether there is a check for a key of the provider.
func (e Entry) CanCheck() bool {
	return slices.ContainsFunc(e.Verify, func(c Check) bool {
		return c.OnByDefault() && e.fills(c.Request)
	})
}

// CanBroker reports whether a broker can attach the key to requests of a program, if it has the
// params that hosts need. The name of a login is the program's to send.
func (e Entry) CanBroker() bool {
	return slices.ContainsFunc(e.Attach, func(a Attach) bool {
		r, found := e.Auth[a.Auth]
		return found && r.In != "path" && e.filled(r.Value, r.Password)
	})
}

// fills reports whether a request can be made of the key alone.
func (e Entry) fills(r Request) bool {
	return e.filled(r.URL) && (r.Auth == "" || e.attachable(r.Auth))
}

func (e Entry) attachable(recipe string) bool {
	r := e.Auth[recipe]
	known := slices.Contains([]string{"header", "basic", "query"}, r.In)
	return known && e.filled(r.Value, r.Username, r.Password)
}

// filled reports whether templates need nothing but the key and what has a default.
func (e Entry) filled(templates ...string) bool {
	for _, t := range templates {
		for _, m := range placeholderPattern.FindAllStringSubmatch(t, -1) {
			if _, known := e.Inputs(plaintext.Value{})[m[1]]; !known {
				return false
			}
		}
	}
	return true
}

// Inputs returns what the templates of an entry stand for: the key, and the defaults of params.
func (e Entry) Inputs(key plaintext.Value) map[string]string {
	inputs := map[string]string{}
	for _, p := range e.Params {
		if p.Default != "" {
			inputs[p.ID] = p.Default
		}
	}
	for _, f := range e.Fields {
		if f.Secret && f.Required {
			inputs[f.ID] = string(key.Reveal())
		}
	}
	return inputs
}

// Fill replaces the templates in a text. What is none of the inputs stays.
func Fill(text string, inputs map[string]string) string {
	return placeholderPattern.ReplaceAllStringFunc(text, func(m string) string {
		if v, known := inputs[m[1:len(m)-1]]; known {
			return v
		}
		return m
	})
}
