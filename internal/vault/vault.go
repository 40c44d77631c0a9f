// Package vault is the domain: users, their secrets, their API keys, and the use cases.
//
// A use case is one method of [Service] and one transaction. It goes through update or view, which
// check the policy and append the audit entry, so that none can forget; only they reach a
// transaction on behalf of somebody. The package knows no HTTP and no SQL.
package vault

import (
	"log/slog"
	"time"

	"github.com/keysake/keysake/internal/catalog"
)

// A Service has the use cases. It is safe for concurrent use.
type Service struct {
	store      Store
	keys       *keyring
	catalog    *catalog.Catalog
	used       *lastUsed
	maxSecrets int
	keep       int // versions of a secret, the current one among them
	now        func() time.Time
	log        *slog.Logger
	batch      int // of a rotation
}

// Options are what a [Service] needs. All but Now must be set, but for a use case that needs less.
type Options struct {
	Store      Store
	OpenRoot   OpenRootKey
	KeyTTL     time.Duration // how long an owner key stays open in memory
	Catalog    *catalog.Catalog
	MaxSecrets int // a user's quota
	// KeepVersions is how many versions of a secret are kept, the current one among them; less than
	// 1 is 1.
	KeepVersions int
	Now          func() time.Time
	Log          *slog.Logger
}

// New returns a Service. It reads nothing: [Service.CheckRootKeys] comes first.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{
		store:      o.Store,
		keys:       newKeyring(newRoots(o.OpenRoot, o.Now), o.KeyTTL),
		catalog:    o.Catalog,
		used:       newLastUsed(),
		maxSecrets: o.MaxSecrets,
		keep:       max(o.KeepVersions, 1),
		now:        o.Now,
		log:        o.Log,
		batch:      rotateBatch,
	}
}
