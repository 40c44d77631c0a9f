package rootkey

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/keyurl"
)

// PassphraseURL is the URL of a root key that is made of a passphrase. The key's id may follow it:
// the same passphrase makes another key with another salt.
const PassphraseURL = "passphrase:"

const fileScheme = "file:"

// The errors of URLs. None of them repeats the URL.
var (
	// ErrScheme means that a URL is not the URL of a root key.
	ErrScheme = keyurl.ErrScheme
	// ErrForm means that a URL has the scheme of a root key, but not the form.
	ErrForm = keyurl.ErrForm
	// ErrCredentials means that a URL, which would be stored and shown, has credentials in it.
	ErrCredentials = keyurl.ErrCredentials
)

// Check checks the form of a URL without opening it. [ErrScheme], [ErrForm], [ErrCredentials].
func Check(url string) error {
	if IsPassphrase(url) {
		text := strings.TrimPrefix(url, PassphraseURL)
		if id, err := uuid.Parse(text); text != "" && (err != nil || id.String() != text) {
			return fmt.Errorf("%w: write passphrase: or passphrase:ID", ErrForm)
		}
		return nil
	}
	if path, isFile := strings.CutPrefix(url, fileScheme); isFile {
		return checkPath(path)
	}
	_, err := keyurl.Parse(url)
	return err
}

// checkPath accepts every path but one that a terminal or a log would show as something else, and
// one that looks as if it named a host.
func checkPath(path string) error {
	odd := func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }
	if path == "" || len(path) > keyurl.MaxLength || !utf8.ValidString(path) ||
		strings.HasPrefix(path, "//") || strings.ContainsFunc(path, odd) {
		return fmt.Errorf("%w: write file:PATH", ErrForm)
	}
	return nil
}

// IsPassphrase reports whether url is that of a passphrase.
func IsPassphrase(url string) bool { return strings.HasPrefix(url, PassphraseURL) }

// PassphraseID returns the id in the URL of a passphrase. It is nil if there is none.
func PassphraseID(url string) uuid.UUID {
	text, _ := strings.CutPrefix(url, PassphraseURL)
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil
	}
	return id
}

// FilePath returns the path of a file: URL.
func FilePath(url string) (path string, isFile bool) {
	path, isFile = strings.CutPrefix(url, fileScheme)
	if !isFile {
		return "", false
	}
	return filepath.Clean(path), true
}

// AbsoluteURL makes the path of a file: URL absolute. It returns other URLs unchanged.
func AbsoluteURL(url string) (string, error) {
	path, isFile := FilePath(url)
	if !isFile {
		return url, nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return fileScheme + path, nil
}
