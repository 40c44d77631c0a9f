package vault_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/seal"
)

// failing is a key service that does nothing but mirror, and fails while err is set. It counts.
type failing struct {
	err   error
	calls int
}

func (f *failing) Encrypt(_ context.Context, plain []byte) ([]byte, error) {
	f.calls++
	return mirrored(plain), f.err
}

func (f *failing) Decrypt(_ context.Context, sealed []byte) ([]byte, error) {
	f.calls++
	return mirrored(sealed), f.err
}

func mirrored(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = ^b[i]
	}
	return out
}

func TestAFaultOfTheRootKeyIsKnownUntilItWorksOrForAWhile(t *testing.T) {
	p := start(t)
	service, url := &failing{}, "hashivault://keysake"
	root := seal.NewServiceRootKey(seal.ServiceRootKeyID(url), service)
	p.named.set(root.ID(), root)
	p.makeFirst(root)
	fault := func() error {
		before := service.calls
		err := p.RootKeyFault(t.Context())
		if service.calls != before {
			t.Error("the service was asked")
		}
		return err
	}
	create := func(name string) {
		// Other tests say what it answers.
		_, _ = p.CreateUser(t.Context(), p.admin, userRequest(name))
	}
	if err := fault(); err != nil {
		t.Errorf("before any use: %v", err)
	}
	service.err = seal.ErrService
	create("ann")
	if err := fault(); !errors.Is(err, seal.ErrService) {
		t.Errorf("after a failure: %v", err)
	}
	service.err = nil
	create("ann")
	if err := fault(); err != nil {
		t.Errorf("after it worked: %v", err)
	}
	service.err = seal.ErrServiceTimeout
	create("bob")
	if err := fault(); !errors.Is(err, seal.ErrServiceTimeout) {
		t.Errorf("after a silence: %v", err)
	}
	p.clock.forward(time.Minute)
	if err := fault(); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}
