package rootkey

import (
	"context"
	"fmt"
	neturl "net/url"
	"strings"
	"time"

	"gocloud.dev/secrets"
	// The services, each by the scheme of its URL; hashivault is in vaultservice.go.
	_ "gocloud.dev/secrets/awskms"
	_ "gocloud.dev/secrets/azurekeyvault"
	_ "gocloud.dev/secrets/gcpkms"

	"github.com/keysake/keysake/internal/seal"
)

// DefaultServiceTimeout is how long a key service may take in all: less than a request to the API
// may.
const DefaultServiceTimeout = 8 * time.Second

func isService(url string) bool {
	scheme, rest, found := strings.Cut(url, "://")
	switch scheme {
	case "awskms", "gcpkms", "azurekeyvault", vaultScheme:
		return found && rest != ""
	}
	return false
}

// checkService refuses what must not be in a URL that is remembered and shown.
func checkService(url string) error {
	u, err := neturl.Parse(url)
	if err != nil {
		return ErrScheme // the parser's own words would quote it
	}
	if u.User != nil {
		return ErrCredentials
	}
	return nil
}

// openService does not ask the service yet. The id of its root key is derived from the URL: the
// service gives nothing away to derive one from.
func (o *Opener) openService(ctx context.Context, url string) (seal.RootKey, error) {
	if err := checkService(url); err != nil {
		return nil, err
	}
	timeout := o.ServiceTimeout
	if timeout <= 0 {
		timeout = DefaultServiceTimeout
	}
	s := &service{name: url, timeout: timeout}
	var err error
	if strings.HasPrefix(url, vaultScheme+"://") {
		s.keeper, err = openVault(url, s.callTimeout())
	} else {
		s.keeper, err = secrets.OpenKeeper(ctx, url)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	return seal.NewServiceRootKey(seal.ServiceRootKeyID(url), s), nil
}
