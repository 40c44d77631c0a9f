package rootkey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keysake/keysake/internal/keyurl"
	"github.com/keysake/keysake/internal/kmspipe"
	"github.com/keysake/keysake/internal/seal"
)

// DefaultServiceTimeout is shorter than the time that a request to the API may take.
const DefaultServiceTimeout = 8 * time.Second

// service is a key service behind a URL, asked with patience. It implements [seal.Service].
type service struct {
	calls   seal.Service // one attempt each
	name    string
	timeout time.Duration // of one request with all its retries
}

// Encrypt implements [seal.Service].
func (s *service) Encrypt(ctx context.Context, plain []byte) ([]byte, error) {
	return s.retry(ctx, plain, func(ctx context.Context) ([]byte, error) {
		return s.calls.Encrypt(ctx, plain)
	})
}

// Decrypt implements [seal.Service].
func (s *service) Decrypt(ctx context.Context, sealed []byte) ([]byte, error) {
	return s.retry(ctx, nil, func(ctx context.Context) ([]byte, error) {
		return s.calls.Decrypt(ctx, sealed)
	})
}

// openService returns the root key that a service keeps. It makes no request yet.
func (o *Opener) openService(url string) (seal.RootKey, error) {
	name, err := keyurl.Parse(url)
	if err != nil {
		return nil, err
	}
	s := &service{name: url, timeout: o.ServiceTimeout}
	if s.timeout <= 0 {
		s.timeout = DefaultServiceTimeout
	}
	if name.Scheme == keyurl.Transit {
		if s.calls, err = openTransit(name); err != nil {
			return nil, fmt.Errorf("%s: %w", url, err)
		}
	} else {
		s.calls = helped{&o.Helper, url}
	}
	return seal.NewServiceRootKey(seal.ServiceRootKeyID(url), s), nil
}

// helped is a key of a service that a program asks. It implements [seal.Service].
type helped struct {
	helper *kmspipe.Helper
	key    string
}

// Encrypt implements [seal.Service].
func (h helped) Encrypt(ctx context.Context, plain []byte) ([]byte, error) {
	out, err := h.helper.Wrap(ctx, h.key, plain)
	return out, helperError(err)
}

// Decrypt implements [seal.Service].
func (h helped) Decrypt(ctx context.Context, sealed []byte) ([]byte, error) {
	out, err := h.helper.Unwrap(ctx, h.key, sealed)
	return out, helperError(err)
}

func helperError(err error) error {
	failed, ok := errors.AsType[*kmspipe.Error](err)
	if !ok {
		return err
	}
	return &callError{
		reason: failed.Reason,
		again:  failed.Failure != kmspipe.Refused,
		late:   failed.Failure == kmspipe.Timeout,
	}
}
