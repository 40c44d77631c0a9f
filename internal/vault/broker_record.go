package vault

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
)

// A BrokeredRequest is what is recorded of a request that the broker got: nothing of its headers,
// its query or its body. It is a help for people, which nothing vouches for.
type BrokeredRequest struct {
	ID                  uuid.UUID // given when it is recorded
	User, Lease, Secret uuid.UUID // Secret is nil where it is not known
	By                  uuid.UUID // as of a [Grant], for the audit log; not stored
	At                  time.Time
	Method, Host        string
	Path                string // a template: what the catalog or the lease names of it
	Status              int    // that was answered; 0 for none
	Sent, Received      int64  // bytes of the bodies
	Took                time.Duration
	Tokens              int64      // as the provider reported them; 0 where it did not
	Refused             string     // the rule by which it got no key; empty if it got one
	Detail              string     // of a refusal, for people
	Counts              bool       // against the limits of the lease: it got a key
	Shown               Evidence   // of the key; it is not recorded with the request
	Stamp               seal.Stamp // of the version that the key is of
	Client              netip.Addr // for the audit log, in the entry of a refusal
}

// Use returns what a request is of the use of its lease.
func (r BrokeredRequest) Use() BrokerUse {
	if !r.Counts {
		return BrokerUse{}
	}
	return BrokerUse{Requests: 1, Bytes: r.Sent + r.Received, Tokens: r.Tokens}
}

// How many requests are recorded, and shown.
const (
	keepBrokered    = 10_000 // of a user, that were refused, and as many that were not
	keepPassed      = 5000   // of a lease: one does not crowd out what the others did
	keepRefused     = 1000   // of a lease: refusals cost its program nothing
	MaxBrokeredPage = 200

	defaultBrokeredPage = 50
	maxBrokeredBatch    = 1000
	maxBrokeredText     = 256
)

// A BrokeredQuery chooses requests of a lease or with a secret, oldest first.
type BrokeredQuery struct {
	Lease   uuid.UUID // nil for any
	Secret  uuid.UUID // nil for any
	After   uuid.UUID // newer than that one; nil for the newest
	Refused bool      // only those that got no key
	Limit   int
}

// RecordBrokered stores requests, what they show of keys, and the first refusal of a lease in a
// minute in the audit log. It returns how much each of their leases was used until now, at all
// servers. The broker calls it off the way of requests, with those that it gathered. Requests
// without a lease are left out: they are nobody's. Those of a user who was deleted are lost.
func (s *Service) RecordBrokered(
	ctx context.Context, requests []BrokeredRequest,
) (uses map[uuid.UUID]BrokerUse, err error) {
	known, err := knownBrokered(requests)
	uses = map[uuid.UUID]BrokerUse{}
	for batch := range slices.Chunk(known, maxBrokeredBatch) {
		if err == nil {
			err = s.recordBatch(ctx, batch, uses)
		}
	}
	return uses, err
}

func (s *Service) recordBatch(
	ctx context.Context, batch []BrokeredRequest, uses map[uuid.UUID]BrokerUse,
) error {
	added, refused := usedIn(batch)
	news := s.evidence.of(batch, s.time())
	err := s.store.Update(ctx, func(tx Tx) error {
		err := hastenProbes(ctx, tx, news)
		if err == nil {
			err = tx.InsertBrokered(ctx, batch, added)
		}
		if err == nil {
			err = noteEvidence(ctx, tx, news)
		}
		for _, of := range added {
			var use StoredBrokerUse
			if err == nil {
				use, err = tx.BrokerUse(ctx, of.User, of.Lease)
				uses[of.Lease] = use.BrokerUse
			}
			if err == nil {
				err = trimBrokered(ctx, tx, use, refused[of.Lease])
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	s.evidence.keep(news, s.now())
	return s.recordBrokerRefusals(ctx, batch)
}

// usedIn returns how much each lease was used by requests, and of which some were refused. It is in
// the order of the leases, so that servers that share a database do not wait in a circle.
func usedIn(batch []BrokeredRequest) (added []StoredBrokerUse, refused map[uuid.UUID]bool) {
	byLease := map[uuid.UUID]StoredBrokerUse{}
	refused = map[uuid.UUID]bool{}
	for _, r := range batch {
		use := byLease[r.Lease]
		use.User, use.Lease, use.BrokerUse = r.User, r.Lease, use.Plus(r.Use())
		byLease[r.Lease], refused[r.Lease] = use, refused[r.Lease] || r.Refused != ""
	}
	return slices.SortedFunc(maps.Values(byLease), func(a, b StoredBrokerUse) int {
		return slices.Compare(a.Lease[:], b.Lease[:])
	}), refused
}

// trimBrokered bounds what is kept of a lease and its user. Whoever has one placeholder, also of a
// lease that ended, must not erase what others did by what they do.
func trimBrokered(ctx context.Context, tx Tx, use StoredBrokerUse, refused bool) error {
	bounds := []BrokeredBound{{Keep: keepBrokered}}
	if use.Requests > keepPassed {
		bounds = append(bounds, BrokeredBound{Lease: use.Lease, Keep: keepPassed})
	}
	if refused {
		bounds = append(bounds, BrokeredBound{Lease: use.Lease, Refused: true, Keep: keepRefused},
			BrokeredBound{Refused: true, Keep: keepBrokered})
	}
	for _, of := range bounds {
		if err := tx.TrimBrokered(ctx, use.User, of); err != nil {
			return err
		}
	}
	return nil
}

// knownBrokered returns the requests that are somebody's, as they are stored.
func knownBrokered(requests []BrokeredRequest) ([]BrokeredRequest, error) {
	known := make([]BrokeredRequest, 0, len(requests))
	for _, r := range requests {
		if r.User == uuid.Nil || r.Lease == uuid.Nil {
			continue
		}
		var err error
		if r.ID, err = newID(); err != nil {
			return nil, err
		}
		r.At = r.At.UTC().Truncate(time.Microsecond)
		for _, text := range []*string{&r.Method, &r.Host, &r.Path, &r.Refused, &r.Detail} {
			*text = shortened(*text)
		}
		known = append(known, r)
	}
	return known, nil
}

// shortened returns a text that can be stored: programs choose paths.
func shortened(text string) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
	if len(text) <= maxBrokeredText {
		return text
	}
	return strings.ToValidUTF8(text[:maxBrokeredText], "")
}

// recordBrokerRefusals records refusals in the chain of the user whose lease it is.
func (s *Service) recordBrokerRefusals(ctx context.Context, requests []BrokeredRequest) error {
	for _, r := range requests {
		if r.Refused == "" {
			continue
		}
		who := Actor{
			User:       r.User,
			Credential: audit.Credential{Kind: audit.CredentialPlaceholder, ID: r.Lease},
			Client:     r.Client,
		}
		if r.By != uuid.Nil {
			who.User, who.OnBehalfOf = r.By, r.User
		}
		err := s.refusals.add(ctx, who, policy.LeaseUse, s.now(), func() error {
			target := audit.Target{}
			if r.Secret != uuid.Nil {
				target = audit.Target{Kind: audit.TargetSecret, ID: r.Secret}
			}
			return s.recordRefusal(ctx, who, policy.LeaseUse, target)
		})
		if err != nil && KindOf(err) != Unauthenticated { // the user was deleted or disabled
			return err
		}
	}
	return nil
}

// ListBrokered returns what was recorded of the requests of one of the caller's leases, or with one
// of the caller's secrets, oldest first. It needs the scope secrets:read. NotFound: there is no
// such lease or secret, or it is another user's.
func (s *Service) ListBrokered(
	ctx context.Context, who Actor, q BrokeredQuery,
) (found []BrokeredRequest, err error) {
	if q.Limit <= 0 || q.Limit > MaxBrokeredPage {
		q.Limit = defaultBrokeredPage
	}
	err = s.view(ctx, who, policy.LeaseRequests, func(p *page) error {
		var err error
		if q.Lease != uuid.Nil {
			_, err = p.storedLease(ctx, q.Lease)
		} else {
			_, err = p.secret(ctx, q.Secret)
		}
		if err == nil {
			found, err = p.rows.BrokeredRequests(ctx, p.owner, q)
		}
		return err
	})
	return found, err
}
