package vault_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// shown returns when a key was last used, as its owner sees it.
func (p *fixture) shown(who vault.Actor, key uuid.UUID) time.Time {
	p.t.Helper()
	keys, err := p.ListAPIKeys(p.t.Context(), who)
	p.must(err)
	for _, k := range keys {
		if k.ID == key {
			return k.LastUsedAt
		}
	}
	p.t.Fatal("the key is not listed")
	return time.Time{}
}

// stored returns what the database has, zero for nothing.
func (p *fixture) stored(key uuid.UUID) time.Time {
	p.t.Helper()
	var us *int64
	p.sqlRow("SELECT (SELECT at FROM api_key_uses WHERE key_id = ?)", []any{key.String()}, &us)
	if us == nil {
		return time.Time{}
	}
	return time.UnixMicro(*us).UTC()
}

func (p *fixture) flush(all bool) {
	p.t.Helper()
	if err := p.FlushLastUsed(p.t.Context(), all); err != nil {
		p.t.Error(err)
	}
}

func TestTheLastUseIsShownAtOnceAndStoredWhenFlushed(t *testing.T) {
	p := start(t)
	key, token := p.newKey(p.admin, vault.APIKeyRequest{})
	if at := p.shown(p.admin, key.ID); !at.IsZero() {
		t.Errorf("before the first use: %v", at)
	}
	p.authenticated(token)
	used := p.clock.last()
	if at := p.shown(p.admin, key.ID); !at.Equal(used) {
		t.Errorf("shown is %v, used was %v", at, used)
	}
	if at := p.stored(key.ID); !at.IsZero() {
		t.Errorf("a read has cost a write: %v", at)
	}
	p.flush(false)
	if at := p.stored(key.ID); !at.Equal(used) {
		t.Errorf("stored is %v, used was %v", at, used)
	}
	p.restart()
	if at := p.shown(p.admin, key.ID); !at.Equal(used) {
		t.Errorf("after a restart it is %v, used was %v", at, used)
	}
}

func TestABusyKeyIsWrittenOnceAMinute(t *testing.T) {
	p := start(t)
	key, token := p.newKey(p.admin, vault.APIKeyRequest{})
	p.authenticated(token)
	first := p.clock.last()
	p.flush(false)
	p.authenticated(token)
	second := p.clock.last()
	p.flush(false)
	if at := p.stored(key.ID); !at.Equal(first) {
		t.Errorf("it was written again after seconds: %v", at)
	}
	if at := p.shown(p.admin, key.ID); !at.Equal(second) {
		t.Errorf("shown is %v, used was %v", at, second)
	}
	p.clock.forward(time.Minute)
	p.flush(false)
	if at := p.stored(key.ID); !at.Equal(second) {
		t.Errorf("after a minute stored is %v, used was %v", at, second)
	}
	p.authenticated(token)
	third := p.clock.last()
	p.flush(true)
	if at := p.stored(key.ID); !at.Equal(third) {
		t.Errorf("at the end stored is %v, used was %v", at, third)
	}
}

func TestAFailedFlushLosesNoUse(t *testing.T) {
	p := start(t)
	key, token := p.newKey(p.admin, vault.APIKeyRequest{})
	p.authenticated(token)
	used := p.clock.last()
	p.sql("ALTER TABLE api_key_uses RENAME COLUMN at TO hidden") // no update of it works now
	if err := p.FlushLastUsed(t.Context(), true); err == nil {
		t.Error("it did not fail")
	}
	p.sql("ALTER TABLE api_key_uses RENAME COLUMN hidden TO at")
	p.flush(true)
	if at := p.stored(key.ID); !at.Equal(used) {
		t.Errorf("stored is %v, used was %v", at, used)
	}
}

func TestAnEarlierUseDoesNotReplaceALaterOneThatWaits(t *testing.T) {
	p := start(t)
	key, token := p.newKey(p.admin, vault.APIKeyRequest{})
	p.authenticated(token)
	used := p.clock.last()
	p.clock.forward(-time.Hour) // the machine's clock was set right
	p.authenticated(token)
	if at := p.shown(p.admin, key.ID); !at.Equal(used) {
		t.Errorf("shown is %v, used was %v", at, used)
	}
}

func TestAUseOfAKeyThatIsGoneIsNoError(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	p.must(p.Service.DeleteUser(t.Context(), p.admin, ann.User))
	p.flush(true)
}
