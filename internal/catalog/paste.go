package catalog

import (
	"bytes"
	"regexp"
)

// A Paste is something that was probably copied together with a key.
type Paste string

// The kinds, in the order in which they are looked for.
const (
	PasteMark       Paste = "mark"        // a byte order mark at the beginning
	PasteNewline    Paste = "newline"     // a line break anywhere
	PasteSpace      Paste = "white_space" // other white space at an end
	PasteAssignment Paste = "assignment"  // export X=, or X= if the catalog knows X
	PasteQuotes     Paste = "quotes"      // a quotation mark at an end
	PasteBearer     Paste = "bearer"      // the scheme of an Authorization header
)

// exportPattern matches the left side of an assignment in a shell profile.
var exportPattern = regexp.MustCompile(`^export[ \t]+[A-Za-z_][A-Za-z0-9_]*$`)

// stripPaste returns the key without what was copied together with it, and what that was. The key
// is a part of b, and may be empty.
func (c *Catalog) stripPaste(b []byte) ([]byte, []Paste) {
	var found []Paste
	if rest, marked := bytes.CutPrefix(b, []byte("\ufeff")); marked {
		found, b = append(found, PasteMark), rest
	}
	if bytes.ContainsAny(b, "\r\n") {
		found = append(found, PasteNewline)
	}
	key := bytes.TrimSpace(b)
	if len(key) < len(bytes.Trim(b, "\r\n")) {
		found = append(found, PasteSpace)
	}
	if left, right, ok := bytes.Cut(key, []byte("=")); ok && c.isVariable(left) {
		found, key = append(found, PasteAssignment), bytes.TrimSpace(right)
	}
	if bare := bytes.Trim(key, "\"'`“”‘’"); len(bare) < len(key) {
		found, key = append(found, PasteQuotes), bytes.TrimSpace(bare)
	}
	if scheme := []byte("bearer "); len(key) >= len(scheme) &&
		bytes.EqualFold(key[:len(scheme)], scheme) {
		found, key = append(found, PasteBearer), bytes.TrimSpace(key[len(scheme):])
	}
	return key, found
}

// isVariable reports whether left is the left side of an assignment. Without "export" it must be a
// variable of the catalog, because a key may have an equals sign in it.
func (c *Catalog) isVariable(left []byte) bool {
	_, known := c.envNames[string(left)]
	return known || exportPattern.Match(left)
}
