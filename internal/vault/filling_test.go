package vault_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// filling is a store where something happens once after a read has got rows, and before it ends.
type filling struct {
	vault.Store

	happens func()
}

func (f *filling) reads(r vault.Reader) vault.Reader { return fillingReader{r, f} }

func (f *filling) Read(ctx context.Context, fn func(vault.Reader) error) error {
	return f.Store.Read(ctx, func(r vault.Reader) error { return fn(f.reads(r)) })
}

func (f *filling) View(ctx context.Context, fn func(vault.Reader) error) error {
	return f.Store.View(ctx, func(r vault.Reader) error { return fn(f.reads(r)) })
}

type fillingReader struct {
	vault.Reader
	of *filling
}

func (r fillingReader) meanwhile() {
	if happens := r.of.happens; happens != nil {
		r.of.happens = nil
		happens()
	}
}

func (r fillingReader) Ledger(ctx context.Context, user uuid.UUID) (vault.StoredLedger, error) {
	defer r.meanwhile()
	return r.Reader.Ledger(ctx, user)
}

func (r fillingReader) ListedAPIKeys(
	ctx context.Context, ids []uuid.UUID,
) ([]vault.APIKey, error) {
	defer r.meanwhile()
	return r.Reader.ListedAPIKeys(ctx, ids)
}

// What is read while it changes is not kept as what is the case after that.
func TestWhatAReadFillsTheMemoryWithIsNoOlderThanAChangeMeanwhile(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	for what, c := range map[string]struct {
		change func(top vault.Actor, key link, secret vault.Secret, l vault.Delivered) error
		gone   []bool // who presents the key, the secret, the grant
	}{
		"a key that was revoked": {
			func(top vault.Actor, key link, _ vault.Secret, _ vault.Delivered) error {
				return p.RevokeAPIKey(ctx, top, key.id())
			}, []bool{true, true, true},
		},
		"a user who was disabled": {
			func(_ vault.Actor, key link, _ vault.Secret, _ vault.Delivered) error {
				return p.Operator.DisableUser(ctx, key.User)
			}, []bool{true, true, true},
		},
		"a secret that was deleted": {
			func(_ vault.Actor, key link, s vault.Secret, _ vault.Delivered) error {
				return p.DeleteSecret(ctx, key.Actor, s.ID)
			}, []bool{false, true, true},
		},
		"a lease that was revoked": {
			func(_ vault.Actor, key link, _ vault.Secret, l vault.Delivered) error {
				_, _, err := p.RevokeLease(ctx, key.Actor, l.ID)
				return err
			}, []bool{false, false, true},
		},
	} {
		for first := range 3 {
			top, key, _ := p.line("user-" + uuid.NewString()[:8])
			made := p.presetSecret(key.Actor, "openai", "OPENAI_API_KEY", fake("x"))
			l := p.brokered(key.Actor, made)
			racing := &filling{Store: p.db}
			server, _ := p.vaultOn(racing)
			racing.happens = func() { p.must(c.change(top, key, made, l)) }
			_ = p.present(server, first, key, made, l.Placeholders[0].Value) // either is true
			if racing.happens != nil {
				t.Fatalf("%s, read %d: nothing happened meanwhile", what, first)
			}
			for n, gone := range c.gone {
				err := p.present(server, n, key, made, l.Placeholders[0].Value)
				if (err != nil) != gone {
					t.Errorf("%s while %d was read: %d says %v afterwards", what, first, n, err)
				}
			}
		}
	}
}

// present makes one of three uses of what a key has: it is presented, with it the secret is read,
// or the broker is asked what the placeholder stands for.
func (p *fixture) present(
	server *vault.Service, what int, key link, secret vault.Secret, placeholder plaintext.Value,
) error {
	ctx := p.t.Context()
	if what == 2 {
		return second(server.Grant(ctx, placeholder))
	}
	who, err := server.Authenticate(ctx, key.token)
	if err == nil && what == 1 {
		_, err = server.GetSecret(ctx, who, secret.ID)
	}
	return err
}
