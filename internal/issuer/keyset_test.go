package issuer_test

import (
	"context"
	"crypto/rand"
	"strconv"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/issuer/issuertest"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// A held is an issuer that does not answer, and callers who wait for it.
type held struct {
	*site

	release func()
	answers chan error
}

// hold has an issuer say its keys once, and then nothing until release.
func hold(t *testing.T) *held {
	t.Helper()
	s := start(t)
	s.RemoveKey("EdDSA")
	s.accepts("a token", s.Token("ES256", s.Claims(here, nil)))
	s.later = time.Minute
	h := &held{site: s, release: s.Hold(), answers: make(chan error, 1000)}
	t.Cleanup(h.release)
	return h
}

// unknown is a token of a key that the issuer may have by now.
func (h *held) unknown(id string) string {
	return h.TokenWith("ES256", h.Claims(here, nil), map[string]any{"kid": id})
}

// ask presents a token beside the test.
func (h *held) ask(ctx context.Context, token string) {
	go func() {
		_, err := h.verifier.Verify(ctx, h.URL, here, plaintext.FromString(token))
		h.answers <- err
	}()
}

// asked waits until the issuer was asked once more.
func (h *held) asked() {
	h.t.Helper()
	for h.Asked(issuertest.Discovery) < 2 {
		if h.t.Context().Err() != nil {
			h.t.Fatal("the issuer is not asked")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestAnIssuerThatHangsHoldsUpNobodyWhoseKeyIsKnown(t *testing.T) {
	h := hold(t)
	h.ask(t.Context(), h.unknown("stranger"))
	h.asked()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	_, err := h.verifier.Verify(ctx, h.URL, here,
		plaintext.FromString(h.Token("ES256", h.Claims(here, nil))))
	if err != nil {
		t.Errorf("a token of a key that is known: %v", err)
	}
	other := issuertest.Start(t)
	_, err = h.verifier.Verify(ctx, other.URL, here,
		plaintext.FromString(other.Token("ES256", other.Claims(here, nil))))
	if err != nil {
		t.Errorf("another issuer's: %v", err)
	}
	h.release()
	if err := <-h.answers; vault.KindOf(err) != vault.Unauthenticated {
		t.Errorf("the stranger's: %v", err)
	}
}

func TestWhoCannotWaitForAnIssuerIsToldToComeBack(t *testing.T) {
	h := hold(t)
	ctx, leave := context.WithCancel(t.Context())
	h.ask(ctx, h.unknown("stranger"))
	h.asked()
	leave()
	if err := <-h.answers; vault.KindOf(err) != vault.Unavailable {
		t.Errorf("who leaves: %v", err)
	}
	h.AddKey("EdDSA", "EdDSA")
	const callers = 20
	for range callers {
		h.ask(t.Context(), h.Token("EdDSA", h.Claims(here, nil)))
	}
	h.release()
	for range callers {
		if err := <-h.answers; err != nil {
			t.Errorf("who waits: %v", err)
		}
	}
	if n := h.Asked(issuertest.KeySet); n != 2 {
		t.Errorf("the issuer was asked %d times for its keys", n)
	}
}

func TestOnlySoManyWaitForAnIssuer(t *testing.T) {
	h := hold(t)
	const callers, most = 80, 64
	for range callers {
		h.ask(t.Context(), h.unknown(rand.Text()))
	}
	for range callers - most { // the others wait
		if err := <-h.answers; vault.KindOf(err) != vault.Unavailable {
			t.Errorf("one too many: %v", err)
		}
	}
	h.release()
	for range most {
		if err := <-h.answers; vault.KindOf(err) != vault.Unauthenticated {
			t.Errorf("who waited: %v", err)
		}
	}
	if n := h.Asked(issuertest.Discovery); n != 2 {
		t.Errorf("the issuer was asked %d times", n)
	}
}

func TestAnUnknownKeyOfAnIssuerThatIsAwayIsNotTheTokensFault(t *testing.T) {
	s := start(t)
	claims := s.Claims(here, nil)
	s.accepts("a token", s.Token("ES256", claims))
	s.SetDown(true)
	s.later = time.Minute
	_, err := s.verify(s.TokenWith("ES256", claims, map[string]any{"kid": "new"}))
	if vault.KindOf(err) != vault.BadGateway {
		t.Errorf("a key that may be new: %v", err)
	}
}

// Who has many issuers named in rules could otherwise have one asked with every token.
func TestAnIssuerThatIsForgottenIsNotAskedAgainBeforeItsPauseIsOver(t *testing.T) {
	s := start(t)
	token := s.Token("ES256", s.Claims(here, nil))
	s.SetDown(true)
	if _, err := s.verify(token); vault.KindOf(err) != vault.BadGateway {
		t.Errorf("an issuer that is away: %v", err)
	}
	asked := s.Asked(issuertest.Discovery)
	for i := range 1024 { // as many as are kept; none can be reached
		_, _ = s.verifier.Verify(t.Context(), "other-"+strconv.Itoa(i), here,
			plaintext.FromString(token))
	}
	if _, err := s.verify(token); vault.KindOf(err) != vault.Unavailable {
		t.Errorf("an issuer that was forgotten: %v", err)
	}
	if n := s.Asked(issuertest.Discovery); n != asked {
		t.Errorf("it was asked %d times more", n-asked)
	}
	s.SetDown(false)
	s.later = time.Minute
	s.accepts("a token after the pause", token)
}
