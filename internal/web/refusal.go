package web

import (
	"slices"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// A refusal is why requests got no key: the newest one of those that are alike, and how many there
// are.
type refusal struct {
	vault.BrokeredRequest

	Times int
}

// maxRefusals is how many different ones a page shows.
const maxRefusals = 10

// refusals returns the last refusals that a query chooses, newest first. A program asks again and
// again, so those that are alike count as one.
func (s *site) refusals(r *request, q vault.BrokeredQuery) ([]refusal, error) {
	q.Refused = true
	found, err := s.Vault.ListBrokered(r.Context(), r.session.Actor, q)
	if err != nil {
		return nil, err
	}
	var last []refusal
	for _, one := range slices.Backward(found) {
		at := slices.IndexFunc(last, func(known refusal) bool { return known.isLike(one) })
		if at >= 0 {
			last[at].Times++
		} else if len(last) < maxRefusals {
			last = append(last, refusal{one, 1})
		}
	}
	return last, nil
}

func (r refusal) isLike(other vault.BrokeredRequest) bool {
	return r.Refused == other.Refused && r.Detail == other.Detail && r.Method == other.Method &&
		r.Host == other.Host && r.Path == other.Path && r.Lease == other.Lease &&
		r.Secret == other.Secret
}

// secretNames returns the names of the secrets of a lease.
func secretNames(l vault.Lease) map[uuid.UUID]string {
	names := map[uuid.UUID]string{}
	for _, s := range l.Secrets {
		names[s.ID] = s.Name
	}
	return names
}
