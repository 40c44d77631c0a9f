package rootkey

import (
	"context"
	"fmt"
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

// openService returns the root key that a service keeps. It makes no request yet.
func (o *Opener) openService(ctx context.Context, url string) (seal.RootKey, error) {
	name, err := nameOf(url)
	if err != nil {
		return nil, err
	}
	s := &service{name: url, timeout: o.ServiceTimeout}
	if s.timeout <= 0 {
		s.timeout = DefaultServiceTimeout
	}
	switch scheme, _, _ := strings.Cut(url, "://"); scheme {
	case vaultScheme:
		s.keeper, err = openVault(name[0], name[1], s.attemptTimeout())
	case "awskms":
		s.keeper, err = secrets.OpenKeeper(ctx, url+"?region="+name[1])
	case "azurekeyvault":
		s.keeper, err = secrets.OpenKeeper(ctx,
			fmt.Sprintf("azurekeyvault://%s.vault.azure.net/keys/%s/%s", name[0], name[1], name[2]))
	default:
		s.keeper, err = secrets.OpenKeeper(ctx, url)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	return seal.NewServiceRootKey(seal.ServiceRootKeyID(url), s), nil
}
