package probe

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/plaintext"
)

// expiresAt is the name of the one fact that is a time.
const expiresAt = "expires_at"

// The years that can be stored and told. A key that ends later ends never.
const firstYear, lastYear = 1, 9999

// How much of a fact is kept, and how many characters in a row it may share with the key: some
// providers answer with parts of it.
const (
	maxFact   = 200
	maxShared = 9
)

// extract reads what the provider tells about a key.
func (f *finding) extract(wanted []catalog.Extract, a answer, key plaintext.Value) {
	f.Facts = map[string]string{}
	for _, x := range wanted {
		value, found := a.find(x, key)
		if !found {
			continue
		}
		if x.Type == "time" {
			t, ok := parseTime(value, x.Layouts)
			if ok && x.To == expiresAt && t.Year() >= firstYear && t.Year() <= lastYear {
				f.ExpiresAt = t
			}
			continue
		}
		if text, ok := factOf(value, x.Type); ok && !shares(text, key.Reveal()) {
			f.Facts[x.To] = text
		}
	}
}

func (a answer) find(x catalog.Extract, key plaintext.Value) (value any, found bool) {
	switch {
	case x.Header != "":
		text := a.header.Get(x.Header)
		return text, text != ""
	case x.JSON != "":
		value, found = a.at(x.JSON)
		return value, found && value != nil
	}
	return claim(key, x.JWT)
}

// claim returns a claim of a key that is a JWT. Nothing verifies it: the provider did.
func claim(key plaintext.Value, name string) (value any, found bool) {
	parts := strings.Split(string(key.Reveal()), ".")
	if len(parts) != 3 {
		return nil, false
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	var claims map[string]any
	if err != nil || json.Unmarshal(text, &claims) != nil {
		return nil, false
	}
	value, found = claims[name]
	return value, found && value != nil
}

func parseTime(value any, layouts []string) (time.Time, bool) {
	if seconds, isNumber := value.(float64); isNumber {
		return time.Unix(int64(seconds), 0).UTC(), seconds > 0
	}
	text, _ := value.(string)
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// factOf returns a value as a text on one line. ok is false for one that is no fact.
func factOf(value any, kind string) (text string, ok bool) {
	switch v := value.(type) {
	case []any:
		if kind == "count" {
			return strconv.Itoa(len(v)), true
		}
		var items []string
		for _, item := range v {
			if part, isText := item.(string); isText {
				items = append(items, part)
			}
		}
		text = strings.Join(items, ", ")
	case string:
		text = v
		if kind == "csv" {
			text = strings.Join(strings.FieldsFunc(v, func(r rune) bool {
				return r == ',' || r == ' '
			}), ", ")
		}
	case bool:
		text = strconv.FormatBool(v)
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64)
	}
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > maxFact {
		text = string(runes[:maxFact])
	}
	return text, text != ""
}

// shares reports whether a text has a part of the key in it.
func shares(text string, key []byte) bool {
	for i := 0; i+maxShared < len(key); i++ {
		if strings.Contains(text, string(key[i:i+maxShared+1])) {
			return true
		}
	}
	return len(key) <= maxShared && strings.Contains(text, string(key))
}
