package attack_test

import (
	"errors"
	"testing"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

const doneTable = "done_requests"

// createNamed makes a secret by a request that has a name of the client's own.
func (h *House) createNamed(p Person, secret string) (wire.Secret, error) {
	h.t.Helper()
	c, err := client.New(h.URL, p.key, client.WithoutSealing())
	apptest.Must(h.t, err)
	return c.CreateSecret(client.WithIdempotencyKey(h.t.Context(), "name"), wire.CreateSecret{
		Name: secret, Value: plaintext.FromString("the-same-value"),
	})
}

// doneRow returns what is remembered of the only request of a person that has a name and is of a
// secret of this name.
func (h *House) doneRow(p Person, secret wire.Secret) row {
	h.t.Helper()
	return h.row(doneTable, "user_id = ? AND resource_id = ?", p.id, secret.ID)
}

func TestWhatIsRememberedForOneUserAnswersNoOther(t *testing.T) {
	h := newHouse(t)
	eves, err := h.createNamed(h.eve, "SAME")
	apptest.Must(t, err)
	copied := h.doneRow(h.eve, eves).with("user_id", h.mia.id)
	h.insert(doneTable, copied)
	h.both(func() {
		_, err := h.createNamed(h.mia, "SAME")
		h.tampering("a create whose name was copied from another user", err)
	})
	h.remove(doneTable, copied)
	made, err := h.createNamed(h.mia, "SAME")
	if err != nil || made.ID == eves.ID {
		t.Errorf("without the row: %+v, %v", made, err)
	}
}

func TestARowThatIsMadeUpAnswersNoRequest(t *testing.T) {
	h := newHouse(t)
	made, err := h.createNamed(h.mia, "NAMED")
	apptest.Must(t, err)
	genuine := h.doneRow(h.mia, made)
	for what, forged := range map[string]row{
		"another resource": genuine.with("resource_id", h.one.ID),
		"another version":  genuine.with("version", int64(7)),
		"a longer life":    genuine.with("expires_at", int64(9e18)),
		"another action":   genuine.with("action", "lease.create"),
		"another request":  genuine.with("request_code", make([]byte, 32)),
		"no code":          genuine.with("code", make([]byte, 32)),
	} {
		h.putBack(doneTable, forged)
		_, err := h.createNamed(h.mia, "NAMED")
		h.tampering(what, err)
	}
	h.putBack(doneTable, genuine)
	again, err := h.createNamed(h.mia, "NAMED")
	if err != nil || again != made {
		t.Errorf("the true row: %+v, %v", again, err)
	}
}

// A row of before, put back in the place of the one that is, names what is gone, and nothing else.
func TestARememberedRequestThatIsPutBackShowsNothingOfWhatIsThere(t *testing.T) {
	h := newHouse(t)
	first, err := h.createNamed(h.mia, "NAMED")
	apptest.Must(t, err)
	old := h.doneRow(h.mia, first)
	apptest.Must(t, h.as(h.mia).DeleteSecret(t.Context(), first.ID))
	h.remove(doneTable, old)
	second, err := h.createNamed(h.mia, "NAMED")
	apptest.Must(t, err)
	h.putBack(doneTable, old)
	h.both(func() {
		got, err := h.createNamed(h.mia, "NAMED")
		if !errors.Is(err, client.ErrConflict) {
			t.Errorf("it was answered with %+v: %v", got, err)
		}
	})
	if now, err := h.as(h.mia).GetSecret(t.Context(), second.ID); err != nil || now != second {
		t.Errorf("the secret is %+v: %v", now, err)
	}
}
