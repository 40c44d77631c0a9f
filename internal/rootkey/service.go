package rootkey

import (
	"context"
	"fmt"
	neturl "net/url"
	"strings"
	"time"

	"gocloud.dev/secrets"
	// The drivers of the key services. The driver of hashivault: is in hashivault.go.
	_ "gocloud.dev/secrets/awskms"
	_ "gocloud.dev/secrets/azurekeyvault"
	_ "gocloud.dev/secrets/gcpkms"

	"github.com/keysake/keysake/internal/seal"
)

// DefaultServiceTimeout is shorter than the time that a request to the API may take.
const DefaultServiceTimeout = 8 * time.Second

// service is a key service behind a URL. It implements [seal.Service].
type service struct {
	keeper  *secrets.Keeper
	name    string
	timeout time.Duration // of one request with all its retries
}

// Encrypt implements [seal.Service].
func (s *service) Encrypt(ctx context.Context, plain []byte) ([]byte, error) {
	return s.retry(ctx, plain, func(ctx context.Context) ([]byte, error) {
		return s.keeper.Encrypt(ctx, plain)
	})
}

// Decrypt implements [seal.Service].
func (s *service) Decrypt(ctx context.Context, sealed []byte) ([]byte, error) {
	return s.retry(ctx, nil, func(ctx context.Context) ([]byte, error) {
		return s.keeper.Decrypt(ctx, sealed)
	})
}

func isService(url string) bool {
	scheme, rest, found := strings.Cut(url, "://")
	switch scheme {
	case "awskms", "gcpkms", "azurekeyvault", vaultScheme:
		return found && rest != ""
	}
	return false
}

func checkService(url string) error {
	u, err := neturl.Parse(url)
	if err != nil {
		return ErrScheme // the parser's own error would quote the URL
	}
	if u.User != nil {
		return ErrCredentials
	}
	return nil
}

// openService returns the root key that a service keeps. It makes no request yet.
func (o *Opener) openService(ctx context.Context, url string) (seal.RootKey, error) {
	if err := Check(url); err != nil {
		return nil, err
	}
	s := &service{name: url, timeout: o.ServiceTimeout}
	if s.timeout <= 0 {
		s.timeout = DefaultServiceTimeout
	}
	var err error
	if strings.HasPrefix(url, vaultScheme+"://") {
		s.keeper, err = openVault(url, s.attemptTimeout())
	} else {
		s.keeper, err = secrets.OpenKeeper(ctx, url)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	return seal.NewServiceRootKey(seal.ServiceRootKeyID(url), s), nil
}
