package attack_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
)

// files returns the database's file as it is when the server has stopped, and starts it again.
func (h *House) content() []byte {
	h.t.Helper()
	h.Stop(h.t)
	h.exec("PRAGMA wal_checkpoint(TRUNCATE)")
	content, err := os.ReadFile(h.file())
	apptest.Must(h.t, err)
	return content
}

// replaceFile puts another file in the place of the database's, while no server runs.
func (h *House) replaceFile(content []byte) {
	h.t.Helper()
	apptest.Must(h.t, h.db.Close())
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		_ = os.Remove(h.file() + suffix)
	}
	apptest.Must(h.t, os.WriteFile(h.file(), content, 0o600))
	h.connect()
}

func TestNoPageOfYesterdayMakesAMixture(t *testing.T) {
	h := newHouse(t)
	leaked := h.newKey(h.mia, "leaked", "secrets:read")
	yesterday := h.content()
	h.restart()
	apptest.Must(t, h.as(h.mia).RevokeAPIKey(t.Context(), leaked.keyID))
	h.update(h.mia, h.one.ID, "ONE", "third")
	apptest.Must(t, h.as(h.mia).DeleteSecret(t.Context(), h.two.ID))
	today := h.content()
	const page = 4096
	for at := page; at+page <= min(len(today), len(yesterday)); at += page {
		if bytes.Equal(today[at:at+page], yesterday[at:at+page]) {
			continue
		}
		mixed := bytes.Clone(today)
		copy(mixed[at:], yesterday[at:at+page])
		h.replaceFile(mixed)
		if h.start() == nil {
			if _, err := h.ClientWith(t, leaked.key).WhoAmI(t.Context()); err == nil {
				t.Errorf("page %d: the revoked key lives", at/page+1)
			}
			h.isNot(h.mia, h.one, "second")
			if v, err := h.open(h.mia, h.two.ID); err == nil && v.Len() > 0 {
				t.Errorf("page %d: the deleted secret lives", at/page+1)
			}
		}
	}
}

func TestASecondNameOfTheFileIsNotASecondHouse(t *testing.T) {
	h := newHouse(t)
	yesterday := h.content()
	h.restart()
	leaked := h.newKey(h.mia, "leaked", "secrets:read")
	apptest.Must(t, h.as(h.mia).RevokeAPIKey(t.Context(), leaked.keyID))
	// another file under the name of the one that is open: the server goes on with its own
	apptest.Must(t, os.WriteFile(h.file()+".new", yesterday, 0o600))
	apptest.Must(t, os.Rename(h.file()+".new", h.file()))
	h.refusedKey(leaked.key)
	next := h.newKey(h.mia, "next", "secrets:read")
	apptest.Must(t, h.as(h.mia).RevokeAPIKey(t.Context(), next.keyID))
	h.refusedKey(next.key)
}
