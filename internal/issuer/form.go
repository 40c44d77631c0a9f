package issuer

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxToken = 16 << 10 // bytes; those of GitHub, GitLab and Kubernetes have 1 to 3 KiB
	maxDepth = 8        // of what nests in it
)

// forbidden are the members of a header that say where the key is, or change what the rest means.
//
//nolint:gochecknoglobals // a list that nothing writes to
var forbidden = []string{"crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "enc"}

// checkForm refuses what a library may read in several ways: duplicate members, data after the end,
// deep nesting, and headers that lead elsewhere. Unauthenticated.
func checkForm(token string) error {
	if len(token) > maxToken {
		return refused("it is longer than 16 KiB", nil)
	}
	parts := strings.Split(token, ".")
	// A decoder skips line feeds: a token would have several spellings.
	if len(parts) != 3 || strings.ContainsFunc(token, isNotBase64) {
		return refused("it is no JWT", nil)
	}
	for _, part := range parts[:2] {
		b, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err == nil {
			err = checkObject(b)
		}
		if err != nil {
			return refused("it is no JWT", err)
		}
	}
	return checkHeader(parts[0])
}

func isNotBase64(r rune) bool {
	return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9') &&
		r != '-' && r != '_' && r != '.'
}

func checkHeader(part string) error {
	b, _ := base64.RawURLEncoding.DecodeString(part) // checkForm did
	var header map[string]jsontext.Value
	if err := json.Unmarshal(b, &header); err != nil {
		return refused("it is no JWT", err)
	}
	for _, name := range forbidden {
		if _, found := header[name]; found {
			return refused("its header has "+name+", which is not accepted", nil)
		}
	}
	if typ, found := header["typ"]; found && !strings.EqualFold(string(typ), `"JWT"`) {
		return refused("it is a token of another type", nil)
	}
	return nil
}

var errNotObject = errors.New("it must be one JSON object")

// checkObject checks that b is one JSON object in UTF-8, not too deep, without duplicate names.
func checkObject(b []byte) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(b))
	for first := true; ; first = false {
		token, err := dec.ReadToken()
		switch {
		case err != nil:
			return err
		case first && token.Kind() != '{' || dec.StackDepth() > maxDepth:
			return errNotObject
		case dec.StackDepth() > 0:
			continue
		}
		if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
			return errNotObject
		}
		return nil
	}
}

// signedPart returns the part of a token that its signature covers.
func signedPart(token string) string { return token[:strings.LastIndexByte(token, '.')] }

// isSubject reports whether a subject can be shown in lists and in the audit log.
func isSubject(text string) bool {
	obeyed := func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
	return text != "" && len(text) <= maxSubject && !strings.ContainsFunc(text, obeyed)
}
