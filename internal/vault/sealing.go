package vault

import (
	"encoding/base64"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/internal/seal"
)

// sealingPeriod is how long a sealing key is the one that clients get. It opens what was sealed to
// it for one period more.
const sealingPeriod = 24 * time.Hour

// sealingIDSize is how many bytes of the hash of a public key are its id.
const sealingIDSize = 12

// ErrSealingKey means that a request was sealed to a key that opens nothing any more, or never did.
var ErrSealingKey = errors.New("vault: no such sealing key")

// A SealingKey is the public half of a key pair to which requests are sealed.
type SealingKey struct {
	ID        string
	Server    uuid.UUID // what a request is bound to
	Recipient bundle.Recipient
	ExpiresAt time.Time // another key is the current one from then on
}

// A sealingKey opens requests until a time.
type sealingKey struct {
	SealingKey
	key     *bundle.Key
	current bool
	until   time.Time
}

// sealingKeys are the keys that open requests, as they follow from the instance keys and the time:
// nothing of them is stored, and every server of an instance has the same.
type sealingKeys struct {
	mu        sync.Mutex
	instances []uuid.UUID
	period    uint64
	keys      []sealingKey
}

// SealingKeys returns the current keys, of which the first is the best.
func (s *Service) SealingKeys() (current []SealingKey, err error) {
	all, err := s.sealing.at(s.now(), s.instance.all(), s.pqOnly)
	for _, k := range all {
		if k.current {
			current = append(current, k.SealingKey)
		}
	}
	return current, err
}

// Unseal opens the body of a request that was sealed to one of the keys. [ErrSealingKey]: it is
// none of them. [bundle.ErrOpen]: the body was sealed for another request, or is none.
func (s *Service) Unseal(id string, r bundle.Request, sealed []byte) (u Unsealed, err error) {
	all, err := s.sealing.at(s.now(), s.instance.all(), s.pqOnly)
	if err != nil {
		return u, err
	}
	at := slices.IndexFunc(all, func(k sealingKey) bool { return k.ID == id })
	if at < 0 {
		return u, ErrSealingKey
	}
	r.Server = all[at].Server
	u.Body, err = bundle.OpenRequest(all[at].key, r, sealed)
	u.Encapsulated, u.Until = all[at].key.Encapsulated(sealed), all[at].until
	return u, err
}

// An Unsealed is an opened request.
type Unsealed struct {
	Body         []byte    // for the caller to wipe
	Encapsulated []byte    // nothing else that opens has the same
	Until        time.Time // nothing of that key opens from then on
}

// at returns the keys of a time, those of the instance key that signs first.
func (k *sealingKeys) at(
	now time.Time, instances []seal.InstanceKey, pqOnly bool,
) ([]sealingKey, error) {
	const seconds = uint64(sealingPeriod / time.Second)
	period := uint64(now.Unix()) / seconds //nolint:gosec // it is after 1970
	ids := make([]uuid.UUID, len(instances))
	for i, instance := range instances {
		ids[i] = instance.ID()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.period == period && slices.Equal(k.instances, ids) {
		return k.keys, nil
	}
	var keys []sealingKey
	for i, instance := range instances {
		for back := range uint64(2) {
			for _, suite := range bundle.Suites() {
				if pqOnly && !suite.PostQuantum() {
					continue
				}
				key, err := newSealingKey(instance, suite, period-back)
				if err != nil {
					return nil, err
				}
				key.current = i == 0 && back == 0
				keys = append(keys, key)
			}
		}
	}
	k.period, k.instances, k.keys = period, ids, keys
	return keys, nil
}

func newSealingKey(
	instance seal.InstanceKey, suite bundle.Suite, period uint64,
) (k sealingKey, err error) {
	bits, err := instance.SealingKey(uint16(suite), period)
	if err != nil {
		return k, err
	}
	if k.key, err = bundle.OwnKey(suite, bits); err != nil {
		return k, err
	}
	k.Recipient, k.Server = k.key.Recipient(), instance.ID()
	hash := k.Recipient.Hash()
	k.ID = base64.RawURLEncoding.EncodeToString(hash[:sealingIDSize])
	end := func(periods uint64) time.Time {
		return time.Unix(0, 0).Add(time.Duration(periods) * sealingPeriod) //nolint:gosec // small
	}
	k.ExpiresAt, k.until = end(period+1), end(period+2)
	return k, nil
}
