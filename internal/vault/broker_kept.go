package vault

import "github.com/google/uuid"

// A brokered is an open lease of a broker, as it was verified with a reading of its ledger. It is
// kept in memory, and so are the rows of its secrets, which are still sealed.
type brokered struct {
	lease   StoredLease
	askers  []APIKey // as of [page.askers]
	used    BrokerUse
	granted []GrantedSecret // those of its secrets that are still there
}

// A placeholderRef finds whose lease a placeholder is of. It is a hint, and proves nothing.
type placeholderRef struct{ hash TokenHash }

// A brokeredRef and a sealedRef name what was verified with a reading of a ledger, as a keptRef.
type (
	brokeredRef keptRef
	sealedRef   keptRef
)

func (b *brokered) size() int {
	size := rowSize + len(b.askers)*keySize + rounded(len(b.lease.Limits.Text()))
	for _, s := range b.lease.Secrets {
		size += 64 + rounded(len(s.Name)+len(s.Placeholder))
	}
	for _, s := range b.granted {
		size += 64 + rounded(len(s.Name)+len(s.Provider))
	}
	return size
}

// keptGrant returns a lease and the secret of its placeholder, if the memory has both as they were
// verified with the ledger that it has. They count without a look at the database: what ends or
// changes a grant is told to all servers, as [access] says.
func (s *snapshot) keptGrant(
	lease uuid.UUID, hash TokenHash,
) (known *brokered, secret StoredSecret, found bool) {
	if s.known == nil {
		return nil, StoredSecret{}, false
	}
	memory, reading := s.core.verified, s.known.reading
	known, found = memory.get(brokeredRef{reading, lease}).(*brokered)
	if !found {
		return nil, StoredSecret{}, false
	}
	leased, found := known.lease.secretOf(hash)
	if found {
		secret, found = memory.get(sealedRef{reading, leased.ID}).(StoredSecret)
	}
	return known, secret, found
}
