package attack_test

import (
	"os"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
)

func TestEverythingPutBackIsRefusedByTheNextServerToo(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	h.update(h.mia, h.one.ID, "ONE", "third")
	h.Stop(t)
	h.putBackAll(yesterday)
	if h.start() == nil {
		_, err := h.as(h.mia).GetSecret(t.Context(), h.one.ID)
		h.refused("the secret", err)
		h.refused("a rollback", h.rollback(h.mia, h.one.ID, 1))
	}
}

func TestALogOfYesterdayBesideTheFileOfTodayMakesNoMixture(t *testing.T) {
	h := newHouse(t)
	leaked := h.newKey(h.mia, "leaked", "secrets:read")
	// a frame of yesterday's log is a page of yesterday: here all of them
	log, err := os.ReadFile(h.file() + "-wal")
	apptest.Must(t, err)
	apptest.Must(t, h.as(h.mia).RevokeAPIKey(t.Context(), leaked.keyID))
	today := h.content()
	h.replaceFile(today)
	apptest.Must(t, h.db.Close())
	apptest.Must(t, os.WriteFile(h.file()+"-wal", log, 0o600))
	h.connect()
	if h.start() == nil {
		h.refusedKey(leaked.key)
	}
}

// A server that crashed has said nothing at its end: what it knew of numbers must be kept already.
func TestEverythingPutBackIsRefusedAfterACrashToo(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	leaked := h.newKey(h.mia, "leaked", "secrets:read")
	apptest.Must(t, h.as(h.mia).RevokeAPIKey(t.Context(), leaked.keyID))
	h.update(h.mia, h.one.ID, "ONE", "third")
	time.Sleep(1500 * time.Millisecond)
	crashed := *h
	crashed.cfg = h.elsewhere() // as it is now, while the server runs
	apptest.Must(t, os.MkdirAll(crashed.cfg.Data, 0o700))
	h.exec("VACUUM INTO ?", crashed.file())
	apptest.Must(t, os.Chmod(crashed.file(), 0o600))
	crashed.connect()
	crashed.putBackAll(yesterday)
	crashed.Server = apptest.StartWith(t, crashed.cfg)
	_, err := crashed.as(h.mia).GetSecret(t.Context(), h.one.ID)
	crashed.tampering("the secret", err)
	crashed.tampering("a rollback", crashed.rollback(h.mia, h.one.ID, 1))
	crashed.works(h.eve)
}

func TestTheLedgerOfTheInstanceOfYesterdayRevivesNoDeletedUser(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	apptest.Must(t, h.as(h.ada).DeleteUser(t.Context(), h.mia.id))
	own, was := h.rows("instance", "1")[0], yesterday["instance"][0]
	h.putBackUser(yesterday, h.mia.id)
	h.change("instance", own, was)
	h.refusedKey(h.mia.key) // by the server that saw newer
	if h.start() == nil {
		h.refusedKey(h.mia.key) // by the floors that it left
	}
}
