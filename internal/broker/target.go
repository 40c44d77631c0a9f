package broker

import (
	"net/url"
	"strconv"
	"strings"
)

// A target is where a request goes. Path and query are as they were sent, byte for byte.
type target struct {
	provider string // empty where the host alone says it
	host     string // empty for the first one that the catalog has for the path
	path     string
	plain    string // the path as servers read it that decode all, and cut parameters off
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
		t.plain, _ = decoded(t.path)
	}
	return t, err
}

// parsePath reads a path with its query.
func parsePath(line string) (target, error) {
	var t target
	t.path, t.query, t.hasQuery = strings.Cut(line, "?")
	var ok bool
	if t.plain, ok = decoded(t.path); !ok || strings.ContainsFunc(t.query, isUnsafe) {
		return t, errTarget
	}
	return t, nil
}

// isUnsafe reports whether a character has no place in a target. Servers differ in what they make
// of it.
func isUnsafe(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' || r == '\\' }

// decoded returns a path with nothing encoded and without parameters, and whether it means the same
// to everyone who reads it. Segments that some servers take away are refused, however they are
// encoded: the prefix that was looked at would not be the one that is served. So is a character
// that needs no encoding, and has one: no client does that, and the same path would have many
// names. A slash inside a segment may be encoded, as the names of branches are.
func decoded(path string) (string, bool) {
	if !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, isUnsafe) {
		return "", false
	}
	plain := path
	for strings.Contains(plain, "%") {
		next, err := url.PathUnescape(plain)
		if err != nil {
			// A percent sign is itself, if it was encoded.
			if plain == path {
				return "", false
			}
			break
		}
		if hidesCharacter(plain) || strings.ContainsFunc(
			next, func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f },
		) {
			return "", false
		}
		plain = next
	}
	segments := strings.Split(plain[1:], "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
		if name := segments[i]; name == "." || name == ".." || name == "" && i < len(segments)-1 {
			return "", false
		}
	}
	if strings.Contains(plain, ";") {
		plain = "/" + strings.Join(segments, "/")
	}
	return plain, true
}

// hidesCharacter reports whether a path encodes what every path may have as it is: a letter, a
// digit, or one of "-._~".
func hidesCharacter(path string) bool {
	for {
		_, after, found := strings.Cut(path, "%")
		if !found {
			return false
		}
		c, err := strconv.ParseUint(after[:2], 16, 8)
		if err == nil && strings.IndexByte(unreserved, byte(c)) >= 0 {
			return true
		}
		path = after[2:]
	}
}

const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
