// Package kms asks the key services of AWS, Google Cloud and Azure to wrap and unwrap. It is all of
// Keysake that links their libraries, and only the program keysake-kms links it.
package kms

import (
	"context"
	"errors"
	"strings"
	"sync"

	"gocloud.dev/gcerrors"

	"github.com/keysake/keysake/internal/keyurl"
	"github.com/keysake/keysake/internal/kmspipe"
)

// maxKeys is how many keys are kept open. A server has few.
const maxKeys = 64

// A key is one that a service keeps.
type key interface {
	Encrypt(ctx context.Context, plain []byte) ([]byte, error)
	Decrypt(ctx context.Context, sealed []byte) ([]byte, error)
}

// Services implements [kmspipe.Keys]. The zero value is ready.
type Services struct {
	// AzureDomain is where the vaults of Azure are; empty for that of the public cloud.
	AzureDomain string

	mu   sync.Mutex
	open map[string]key
}

// Wrap implements [kmspipe.Keys].
func (s *Services) Wrap(ctx context.Context, url string, plain []byte) ([]byte, error) {
	k, err := s.key(ctx, url)
	if err != nil {
		return nil, err
	}
	wrapped, err := k.Encrypt(ctx, plain)
	return wrapped, failure(ctx, err)
}

// Unwrap implements [kmspipe.Keys].
func (s *Services) Unwrap(ctx context.Context, url string, wrapped []byte) ([]byte, error) {
	k, err := s.key(ctx, url)
	if err != nil {
		return nil, err
	}
	plain, err := k.Decrypt(ctx, wrapped)
	return plain, failure(ctx, err)
}

// key returns the key of a URL. Credentials are looked for once, when it is opened; what was not
// found then is looked for again.
func (s *Services) key(ctx context.Context, url string) (key, error) {
	s.mu.Lock()
	k, found := s.open[url]
	s.mu.Unlock()
	if found {
		return k, nil
	}
	name, err := keyurl.Parse(url)
	if err != nil {
		return nil, &kmspipe.Error{Failure: kmspipe.Refused, Reason: err.Error()}
	}
	// A client and its credentials outlive this request.
	k, err = s.openKey(context.WithoutCancel(ctx), name)
	if err != nil {
		return nil, failure(ctx, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil || len(s.open) >= maxKeys {
		s.open = map[string]key{}
	}
	s.open[url] = k
	return k, nil
}

func (s *Services) openKey(ctx context.Context, name keyurl.Name) (key, error) {
	switch name.Scheme {
	case keyurl.AWS:
		return openAWS(ctx, name.Parts[0], name.Parts[1])
	case keyurl.Google:
		return openGoogle(ctx, name.Parts[0])
	case keyurl.Azure:
		return s.openAzure(name.Parts[0], name.Parts[1], name.Parts[2])
	}
	return nil, &kmspipe.Error{
		Failure: kmspipe.Refused, Reason: "this program does not ask that key service",
	}
}

// failure says whether it helps to ask again.
func failure(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if known, ok := errors.AsType[*kmspipe.Error](err); ok {
		return known
	}
	kind := kmspipe.Unavailable
	switch code := gcerrors.Code(err); {
	case ctx.Err() != nil, code == gcerrors.DeadlineExceeded,
		errors.Is(err, context.DeadlineExceeded):
		kind = kmspipe.Timeout
	case isFinal(code) || isFinalOfAWS(err):
		kind = kmspipe.Refused
	}
	return &kmspipe.Error{Failure: kind, Reason: strings.TrimSpace(err.Error())}
}

func isFinal(code gcerrors.ErrorCode) bool {
	switch code { //nolint:exhaustive // every other code may pass
	case gcerrors.PermissionDenied, gcerrors.NotFound, gcerrors.InvalidArgument,
		gcerrors.FailedPrecondition, gcerrors.Unimplemented:
		return true
	}
	return false
}
