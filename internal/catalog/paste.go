package catalog

import (
	"bytes"
	"regexp"
)

// A Paste is something around a key that seems to have come with it from where it was copied.
type Paste string

// What is pasted along, in the order in which it is looked for.
const (
	PasteNewline    Paste = "newline"     // a line break, anywhere
	PasteSpace      Paste = "white_space" // other white space at an end
	PasteAssignment Paste = "assignment"  // export X=, or X= where the catalog knows X
	PasteQuotes     Paste = "quotes"      // a quotation mark at an end
	PasteBearer     Paste = "bearer"      // the scheme of an Authorization header
)

// exportPattern is the left side of an assignment as a shell's profile has it.
var exportPattern = regexp.MustCompile(`^export[ \t]+[A-Za-z_][A-Za-z0-9_]*$`)

// unwrap returns the key in b without what was pasted along, and what that was. The key is a part
// of b, and may be empty.
func (c *Catalog) unwrap(b []byte) ([]byte, []Paste) {
	var found []Paste
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

// isVariable tells whether left is the left side of an assignment. Without "export" it must be a
// variable of the catalog, for any other value may have an equals sign in it.
func (c *Catalog) isVariable(left []byte) bool {
	_, known := c.envNames[string(left)]
	return known || exportPattern.Match(left)
}
