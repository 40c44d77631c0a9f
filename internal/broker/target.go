package broker

import (
	"net/url"
	"strings"
)

// A target is where a request goes. Path and query are as they were sent, byte for byte.
type target struct {
	provider string // empty where the host alone says it
	host     string // empty for the first one that the catalog has for the path
	path     string
	query    string
	hasQuery bool // also for an empty one
}

// parseTarget reads what stands in the line of a request for the broker itself:
// /PROVIDER/PATH, or /PROVIDER/@HOST/PATH for another host of the provider than its first.
func parseTarget(line string) (target, error) {
	if !strings.HasPrefix(line, "/") || strings.ContainsFunc(line, isUnsafe) {
		return target{}, errTarget
	}
	provider, rest, _ := strings.Cut(line[1:], "/")
	provider, _, _ = strings.Cut(provider, "?")
	t, err := parsePath("/" + rest)
	t.provider = provider
	if after, ok := strings.CutPrefix(t.path, "/@"); ok {
		t.host, t.path, _ = strings.Cut(after, "/")
		t.path = "/" + t.path
		if t.host == "" {
			return t, errTarget
		}
	}
	return t, err
}

// parsePath reads a path with its query.
func parsePath(line string) (target, error) {
	var t target
	t.path, t.query, t.hasQuery = strings.Cut(line, "?")
	if !isCanonical(t.path) || strings.ContainsFunc(t.query, isUnsafe) {
		return t, errTarget
	}
	return t, nil
}

// isUnsafe reports whether a character has no place in a target. Servers differ in what they make
// of it.
func isUnsafe(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' || r == '\\' }

// isCanonical reports whether a path means the same to everyone who reads it. It refuses segments
// that some servers take away, however they are encoded: the prefix that was looked at would not be
// the one that is served. A slash inside a segment may be encoded, as the names of branches are.
func isCanonical(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, isUnsafe) {
		return false
	}
	decoded := path
	for strings.Contains(decoded, "%") {
		next, err := url.PathUnescape(decoded)
		if err != nil {
			// A percent sign is itself, if it was encoded.
			if decoded == path {
				return false
			}
			break
		}
		if strings.ContainsFunc(
			next,
			func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f },
		) {
			return false
		}
		decoded = next
	}
	segments := strings.Split(decoded[1:], "/")
	for i, s := range segments {
		name, _, _ := strings.Cut(s, ";")
		if name == "." || name == ".." || name == "" && i < len(segments)-1 {
			return false
		}
	}
	return true
}
