package rootkey

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// PassphraseURL is the whole URL of a root key that is made of a passphrase.
const PassphraseURL = "passphrase:"

const (
	fileScheme  = "file:"
	vaultScheme = "hashivault"

	maxURL = 2048
)

// The errors of URLs. None of them repeats the URL.
var (
	// ErrScheme means that a URL is not the URL of a root key.
	ErrScheme = errors.New("the URL of a root key is file:PATH, passphrase:, awskms:///ARN, " +
		"gcpkms://…, azurekeyvault://… or hashivault://…")
	// ErrForm means that a URL has the scheme of a root key, but not the form.
	ErrForm = errors.New("that is not the URL of a root key")
	// ErrCredentials means that a URL, which would be stored and shown, has credentials in it.
	ErrCredentials = errors.New("the URL of a root key must hold no credentials: " +
		"set the environment variables of the key service")
)

// A grammar is what the URLs of one key service look like, to the last character. A URL names a key
// and nothing else: no address, no credential, no option of a driver. A key has one URL, because
// the id of the root key is derived from it.
type grammar struct {
	pattern *regexp.Regexp // of the whole URL; the groups are the parts that name the key
	form    string         // for messages
}

const (
	// transitName is a name that Vault and OpenBao accept. It is neither "." nor "..".
	transitName = `[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,126}[A-Za-z0-9_])?`
	awsKeyID    = `(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})`
)

//nolint:gochecknoglobals // it is a table: nothing writes to it
var grammars = map[string]grammar{
	// An alias may be pointed at another key, so it names none.
	"awskms": {
		regexp.MustCompile(`^awskms:///(arn:aws(?:-[a-z]{2,8}){0,3}:kms:` +
			`([a-z]{2,8}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}):[0-9]{12}:key/` + awsKeyID + `)$`),
		"awskms:///arn:aws:kms:REGION:ACCOUNT:key/ID, of a key and not of an alias",
	},
	"gcpkms": {
		regexp.MustCompile(`^gcpkms://(projects/(?:[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?:)?` +
			`[a-z0-9][a-z0-9-]{0,61}[a-z0-9]/locations/[a-z0-9][a-z0-9-]{0,62}` +
			`/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63})$`),
		"gcpkms://projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY",
	},
	// The version must be there: Azure decrypts with the version that it is told, not with the one
	// that encrypted.
	"azurekeyvault": {
		regexp.MustCompile(`^azurekeyvault://([a-z][a-z0-9-]{1,22}[a-z0-9])/` +
			`([A-Za-z0-9-]{1,127})/([0-9a-f]{32})$`),
		"azurekeyvault://VAULT/KEY/VERSION, where VAULT is a name and not an address",
	},
	vaultScheme: {
		regexp.MustCompile(`^hashivault://(` + transitName + `)(?:\?engine=(` +
			transitName + `(?:/` + transitName + `){0,7}))?$`),
		"hashivault://KEY or hashivault://KEY?engine=MOUNT",
	},
}

// Check checks the form of a URL without opening it. [ErrScheme], [ErrForm], [ErrCredentials].
func Check(url string) error {
	if url == PassphraseURL {
		return nil
	}
	if path, isFile := strings.CutPrefix(url, fileScheme); isFile {
		return checkPath(path)
	}
	_, err := nameOf(url)
	return err
}

// nameOf returns the parts of a key service's URL that name the key.
func nameOf(url string) (parts []string, err error) {
	scheme, rest, found := strings.Cut(url, "://")
	g, known := grammars[scheme]
	switch {
	case !known || !found || rest == "":
		return nil, ErrScheme
	case strings.Contains(rest, "@"):
		return nil, ErrCredentials
	}
	parts = g.pattern.FindStringSubmatch(url)
	if parts == nil || len(url) > maxURL ||
		scheme == vaultScheme && !mayBeTransit(parts[2]) {
		return nil, fmt.Errorf("%w: write %s", ErrForm, g.form)
	}
	return parts[1:], nil
}

// mayBeTransit reports whether a secrets engine can be mounted there. The other paths are those of
// the service itself, in any namespace.
func mayBeTransit(mount string) bool {
	own := []string{"sys", "auth", "identity", "cubbyhole"}
	for part := range strings.SplitSeq(mount, "/") {
		if slices.Contains(own, strings.ToLower(part)) {
			return false
		}
	}
	return true
}

// checkPath accepts every path but one that a terminal or a log would show as something else, and
// one that looks as if it named a host.
func checkPath(path string) error {
	odd := func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }
	if path == "" || len(path) > maxURL || !utf8.ValidString(path) ||
		strings.HasPrefix(path, "//") || strings.ContainsFunc(path, odd) {
		return fmt.Errorf("%w: write file:PATH", ErrForm)
	}
	return nil
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
