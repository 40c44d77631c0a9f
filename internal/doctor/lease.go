package doctor

import (
	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/vault"
)

// checkLeases checks that the ledger lists the leases whose tickets can be redeemed. Those that had
// expired when it was stored it does not list any more.
func (e *examination) checkLeases(l library, rows *stream[vault.StoredLease]) error {
	found := 0
	for lease, err := range rows.of(l.Owner) {
		if err != nil {
			return err
		}
		if !l.signed {
			continue
		}
		entry := lease.Entry(lease.Row().Entry(l.signer, anchor.KeyEntry))
		expired := uint64(max(lease.ExpiresAt.UnixMicro(), 0)) <= l.ledger.Number
		switch {
		case l.ledger.Leases.Has(entry) && lease.ClaimsOpen():
			found++
		case lease.ClaimsOpen() && !expired:
			e.ledgers.add("lease %s of user %s is not what the ledger lists: "+
				"it was added, changed or put back", lease.ID, l.Owner)
		}
	}
	e.complete(l, l.ledger.Leases, found, "open leases")
	return nil
}

// checkDone checks what is remembered of requests. What a key made that is not believed any more
// does not count, so nothing is wrong with it.
func (e *examination) checkDone(l library, rows *stream[vault.DoneRequest]) error {
	for done, err := range rows.of(l.Owner) {
		if err != nil {
			return err
		}
		key, believed := e.instanceKeys(done.InstanceKey)
		if believed && !done.Row().HasCode(key, done.Code) {
			e.ledgers.add("a request of user %s, for %s, is not what was remembered: "+
				"it was added, changed or moved", l.Owner, done.Resource)
		}
	}
	return nil
}
