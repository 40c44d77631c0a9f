package attack_test

import (
	"bytes"
	"testing"
)

func TestALedgerOfAnotherUserIsNone(t *testing.T) {
	h := newHouse(t)
	mias, eves := h.byID("users", h.mia.id), h.byID("users", h.eve.id)
	h.change("users", mias, mias.with(ledger(eves)...))
	refusedUser(h, h.mia, h.eve)
}

func TestTheLedgersOfTwoUsersCannotBeSwapped(t *testing.T) {
	h := newHouse(t)
	mias, eves := h.byID("users", h.mia.id), h.byID("users", h.eve.id)
	h.change("users", mias, mias.with(ledger(eves)...))
	h.change("users", eves, eves.with(ledger(mias)...))
	refusedUser(h, h.mia, h.ada)
	refusedUser(h, h.eve, h.ada)
}

func TestALedgerOfYesterdayIsNoneWithTheRowsOfToday(t *testing.T) {
	h := newHouse(t)
	yesterday := h.byID("users", h.mia.id)
	h.update(h.mia, h.one.ID, "ONE", "third")
	h.create(h.mia, "THREE")
	h.putBack("users", yesterday)
	_, err := h.as(h.mia).WhoAmI(t.Context())
	h.tampering("who am I, asked of the server that saw newer", err)
	refusedOne(h)
}

func TestALedgerAndSomeRowsOfYesterdayAreNoState(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	h.update(h.mia, h.one.ID, "ONE", "third")
	h.update(h.mia, h.two.ID, "TWO", "second")
	h.putBackUser(yesterday, h.mia.id, "users", "audit_entries")
	h.putBack("secrets", yesterday.row("secrets", "id", h.one.ID))
	for _, r := range yesterday["secret_versions"] {
		h.putBack("secret_versions", r)
	}
	_, err := h.as(h.mia).GetSecret(t.Context(), h.one.ID)
	h.tampering("the secret, asked of the server that saw newer", err)
	h.both(func() {
		_, err := h.as(h.mia).GetSecret(t.Context(), h.two.ID)
		h.tampering("the secret of today", err)
		h.tamperedList(h.mia)
		h.works(h.ada, h.eve)
	})
	h.named()
}

func TestTheLedgerOfTheInstanceIsNoUsers(t *testing.T) {
	h := newHouse(t)
	own := h.rows("instance", "1")[0]
	mias := h.byID("users", h.mia.id)
	h.change("users", mias, mias.with(ledger(own)...))
	refusedUser(h, h.mia, h.eve)
}

func TestTheLedgerOfAUserIsNotTheInstances(t *testing.T) {
	h := newHouse(t)
	own := h.rows("instance", "1")[0]
	h.change("instance", own, own.ifAny(ledger(h.byID("users", h.eve.id))...))
	if h.start() == nil {
		h.refused("the delete of a user", h.as(h.ada).DeleteUser(t.Context(), h.mia.id))
	}
	h.named()
}

func TestALedgerOfAnotherHouseIsNone(t *testing.T) {
	h, other := newHouse(t), newHouse2(t)
	mias := h.byID("users", h.mia.id)
	h.change("users", mias, mias.with(ledger(other.byID("users", other.mia.id))...))
	refusedUser(h, h.mia, h.eve)
}

// blobs returns the columns of a row that hold bytes.
func blobs(r row) (columns []string) {
	for column, v := range r {
		if _, ok := v.([]byte); ok {
			columns = append(columns, column)
		}
	}
	return columns
}

func TestNoChangedByteOfALedgerIsOverlooked(t *testing.T) {
	h := newHouse(t)
	was := h.byID("users", h.mia.id)
	for _, column := range blobs(was) {
		whole, _ := was[column].([]byte)
		for at := range whole {
			changed := bytes.Clone(whole)
			changed[at] ^= 1 << (at % 8)
			h.putBack("users", was.with(column, changed))
			_, err := h.as(h.mia).ListSecrets(t.Context())
			h.tampering(column, err)
		}
		for _, changed := range [][]byte{
			{},
			whole[:len(whole)-1],
			append(bytes.Clone(whole), 0),
			append(whole[:1:1], whole...),
			append(bytes.Clone(whole), whole...),
			make([]byte, len(whole)),
		} {
			h.putBack("users", was.with(column, changed))
			_, err := h.as(h.mia).ListSecrets(t.Context())
			h.tampering(column, err)
		}
	}
	h.works(h.eve)
	h.putBack("users", was)
	h.works(h.mia)
}

func TestAHugeLedgerStopsNobodyElse(t *testing.T) {
	h := newHouse(t)
	was := h.byID("users", h.mia.id)
	for _, column := range blobs(was) {
		h.putBack("users", was.with(column, bytes.Repeat([]byte{1, 255}, 8<<20)))
		_, err := h.as(h.mia).ListSecrets(t.Context())
		h.tampering(column, err)
		h.works(h.ada, h.eve)
	}
	h.named()
}

func TestANumberThatWasRaisedIsNotBelieved(t *testing.T) {
	h := newHouse(t)
	was := h.byID("users", h.mia.id)
	if !was.has("number") {
		t.Fatal("a user's row has no number")
	}
	for _, n := range []int64{1 << 62, 0, -1, was["number"].(int64) + 1} {
		h.putBack("users", was.with("number", n))
		_, err := h.as(h.mia).ListSecrets(t.Context())
		h.tampering("a list", err)
	}
	h.putBack("users", was)
	h.works(h.mia)
	h.update(h.mia, h.one.ID, "ONE", "third")
}
