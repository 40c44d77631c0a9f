// Package keyurl is the grammar of URLs that name keys in key services. It opens nothing and asks
// nobody. Pure.
package keyurl

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// The schemes of key services.
const (
	AWS     = "awskms"
	Google  = "gcpkms"
	Azure   = "azurekeyvault"
	Transit = "hashivault" // Vault and OpenBao
)

// MaxLength is the length of the longest URL of a root key, in bytes.
const MaxLength = 2048

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

// A Name is what the URL of a key in a key service says.
type Name struct {
	Scheme string
	// Parts are, by scheme: ARN and region; the resource name; vault, key and version; key and
	// mount, which is empty if the URL names none.
	Parts []string
}

// A grammar is what the URLs of one key service look like, to the last character. A URL names a key
// and nothing else: no address, no credential, no option of a driver. A key has one URL, because
// the id of the root key is derived from it.
type grammar struct {
	// pattern is of the whole URL; the groups are the parts that name the key. It is compiled when
	// it is needed, because that takes longer than the rest of the start of a command.
	pattern func() *regexp.Regexp
	form    string // for messages
}

func compiled(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

const (
	// transitName is a name that Vault and OpenBao accept. It is neither "." nor "..".
	transitName = `[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,126}[A-Za-z0-9_])?`
	awsKeyID    = `(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})`
)

//nolint:gochecknoglobals // it is a table: nothing writes to it
var grammars = map[string]grammar{
	// An alias may be pointed at another key, so it names none.
	AWS: {
		compiled(`^awskms:///(arn:aws(?:-[a-z]{2,8}){0,3}:kms:` +
			`([a-z]{2,8}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}):[0-9]{12}:key/` + awsKeyID + `)$`),
		"awskms:///arn:aws:kms:REGION:ACCOUNT:key/ID, of a key and not of an alias",
	},
	Google: {
		compiled(`^gcpkms://(projects/(?:[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?:)?` +
			`[a-z0-9][a-z0-9-]{0,61}[a-z0-9]/locations/[a-z0-9][a-z0-9-]{0,62}` +
			`/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63})$`),
		"gcpkms://projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY",
	},
	// The version must be there: Azure decrypts with the version that it is told, not with the one
	// that encrypted.
	Azure: {
		compiled(`^azurekeyvault://([a-z][a-z0-9-]{1,22}[a-z0-9])/` +
			`([A-Za-z0-9-]{1,127})/([0-9a-f]{32})$`),
		"azurekeyvault://VAULT/KEY/VERSION, where VAULT is a name and not an address",
	},
	Transit: {
		compiled(`^hashivault://(` + transitName + `)(?:\?engine=(` +
			transitName + `(?:/` + transitName + `){0,7}))?$`),
		"hashivault://KEY or hashivault://KEY?engine=MOUNT",
	},
}

// Parse returns the name of a key in a key service. [ErrScheme], [ErrForm], [ErrCredentials].
func Parse(url string) (Name, error) {
	scheme, rest, found := strings.Cut(url, "://")
	g, known := grammars[scheme]
	switch {
	case !known || !found || rest == "":
		return Name{}, ErrScheme
	case strings.Contains(rest, "@"):
		return Name{}, ErrCredentials
	}
	parts := g.pattern().FindStringSubmatch(url)
	if parts == nil || len(url) > MaxLength ||
		scheme == Transit && !mayBeTransit(parts[2]) {
		return Name{}, fmt.Errorf("%w: write %s", ErrForm, g.form)
	}
	return Name{scheme, parts[1:]}, nil
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
