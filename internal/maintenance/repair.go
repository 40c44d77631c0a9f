package maintenance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

// A RepairedUser is what a repair of one user does.
type RepairedUser struct {
	User string    `json:"user"` // as the row says
	ID   uuid.UUID `json:"id"`
	// Signed: the user's ledger verifies, so that only rows count that it lists.
	Signed bool `json:"signed"`
	// NamedInLog are the names that the user has in the audit log.
	NamedInLog []string          `json:"names_in_audit_log"`
	Versions   []RepairedVersion `json:"versions"`
	LeftOut    []string          `json:"left_out"` // rows, and why
	OwnerKeys  []RepairedKey     `json:"owner_keys"`
	APIKeys    int               `json:"removed_api_keys"`
	// UnprovedEntries of the audit log are kept, though no ledger vouches for them.
	UnprovedEntries int `json:"unproved_audit_entries"`
	LostEntries     int `json:"lost_audit_entries"`
}

// A RepairedVersion is a version of a secret that opens by itself.
type RepairedVersion struct {
	Name      string    `json:"name"`
	Version   uint64    `json:"version"`
	Current   bool      `json:"current"`
	Mask      string    `json:"masked_value"`
	CreatedAt time.Time `json:"created_at"`
}

// A RepairedKey is an owner key, and what the audit log says of it.
type RepairedKey struct {
	ID    uuid.UUID `json:"id"`
	Opens bool      `json:"opens"`
	Used  bool      `json:"used"`
	Log   string    `json:"audit_log"`
}

// RepairUser makes a new ledger of a user whose ledger is broken and of whom there is no backup, of
// what opens by itself and confirm agrees to. Nothing but that vouches for it: the repair may bring
// an older state back. No server may run, unless the database is one that servers share. No API key
// and no ticket survives, a new owner key seals every value, and the user is repaired until they
// confirm it. It refuses where all that the database has of the user verifies.
//
// The error wraps [instance.ErrCannotOpen] if the data folder or a key does not open.
func RepairUser(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, nameOrID string,
	confirm func(RepairedUser) error,
) (done RepairedUser, err error) {
	i, err := instance.Open(ctx, cfg, instance.NewKeys(cfg, ask), instance.Alone(cfg))
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	var user vault.StoredUser
	err = i.Store.Snapshot(ctx, func(src backup.Source) error {
		user, err = findStored(ctx, src, nameOrID)
		return err
	})
	if err != nil {
		return done, fmt.Errorf("the database: %w", err)
	}
	there, own, err := examineUser(ctx, i, user.Owner)
	switch {
	case err != nil:
		return done, err
	case !there.broken:
		return done, fmt.Errorf("all that the database has of %s verifies: there is nothing to "+
			"repair", user.Username)
	}
	if err := vault.CheckRules(there.user); err != nil {
		return done, errors.New("the user has no name that could be one: only a backup helps")
	}
	r := &repair{rows: there, own: own, done: &done}
	l := r.library()
	if err := confirm(done); err != nil {
		return done, err
	}
	return done, i.Operator.RepairUser(ctx, l)
}

// A repair selects the rows of a user that count from now on.
type repair struct {
	rows userRows
	own  *ownLedger // nil if it is broken
	done *RepairedUser
}

// library selects what opens by itself, and describes it.
func (r *repair) library() vault.Library {
	there := r.rows
	r.done.User, r.done.ID = there.user.Username, there.user.Owner
	r.done.Signed, r.done.APIKeys = r.own != nil, len(there.apiKeys)
	r.done.Versions, r.done.LeftOut = []RepairedVersion{}, []string{}
	r.done.OwnerKeys = []RepairedKey{}
	r.done.NamedInLog = namesInLog(there.chain, there.user.Owner)
	r.rows.keys = r.acceptKeys()
	chain := r.chain()
	r.done.UnprovedEntries, r.done.LostEntries = chain.unproved, chain.lost
	secrets := r.secrets()
	r.rows.secrets = nil
	for _, s := range secrets {
		r.rows.secrets = append(r.rows.secrets, s)
	}
	r.rows.versions = r.versions(secrets)
	l := r.rows.library(chain)
	l.User.StoredLedger = there.user.StoredLedger
	if r.own != nil {
		l.Number, l.Disabled = r.own.Number, r.own.State == anchor.Disabled
	}
	return l
}

// acceptKeys returns the owner keys that may open a value: those that the ledger names, if it
// verifies; otherwise those that open and that the audit log does not call destroyed or replaced.
func (r *repair) acceptKeys() map[uuid.UUID]seal.OwnerKey {
	made, destroyed := map[uuid.UUID]uint64{}, map[uuid.UUID]uint64{}
	for _, e := range r.rows.chain {
		switch {
		case e.Target.Kind != audit.TargetOwnerKey:
		case e.Action == string(policy.OwnerKeyDestroy):
			destroyed[e.Target.ID] = e.Seq
		default:
			made[e.Target.ID] = e.Seq
		}
	}
	accepted := map[uuid.UUID]seal.OwnerKey{}
	for _, k := range r.rows.ownerKeys {
		key, opens := r.rows.keys[k.ID]
		said := RepairedKey{ID: k.ID, Opens: opens, Log: "not named"}
		if n, found := made[k.ID]; found {
			said.Log = fmt.Sprintf("made by entry %d", n)
		}
		if n, found := destroyed[k.ID]; found {
			said.Log = fmt.Sprintf("destroyed by entry %d", n)
		}
		_, gone := destroyed[k.ID]
		switch {
		case r.own != nil:
			said.Used = opens && (k.ID == r.own.OwnerKey || k.ID == r.own.PreviousKey)
		default:
			said.Used = opens && !gone
		}
		if said.Used {
			accepted[k.ID] = key
		}
		r.done.OwnerKeys = append(r.done.OwnerKeys, said)
	}
	return accepted
}

// chain returns the audit chain from its beginning to where it breaks.
func (r *repair) chain() keptChain {
	cut, entries := audit.Head{}, r.rows.chain
	switch {
	case r.own != nil:
		cut = r.own.Cut
	case len(entries) > 0 && entries[0].Seq > 1: // retention removed the beginning
		cut = audit.Head{Seq: entries[0].Seq, Hash: entries[0].Hash}
	}
	linked := follow(cut, entries)
	c := keptChain{
		cut: cut, entries: linked, unproved: len(linked), lost: len(entries) - len(linked),
	}
	if r.own != nil && endOf(cut, linked) == r.own.Head {
		c.unproved = 0
	}
	return c
}

func (r *repair) leaveOut(format string, args ...any) {
	r.done.LeftOut = append(r.done.LeftOut, fmt.Sprintf(format, args...))
}

// secrets returns the secrets that open, and of which no two have one name.
func (r *repair) secrets() map[uuid.UUID]vault.StoredSecret {
	names := map[string]int{}
	for _, s := range r.rows.secrets {
		names[s.Name]++
	}
	found := map[uuid.UUID]vault.StoredSecret{}
	for _, s := range r.rows.secrets {
		mask, err := r.open(s.Binding(), s.SealedValue, s.SealedMask)
		switch {
		case !r.own.lists(s):
			r.leaveOut("%s version %d: the ledger does not list it", s.Name, s.Version)
		case names[s.Name] > 1:
			r.leaveOut("%s version %d: two secrets have this name", s.Name, s.Version)
		case err != nil:
			r.leaveOut("%s version %d: %v", s.Name, s.Version, err)
		default:
			found[s.ID] = s
			r.done.Versions = append(r.done.Versions,
				RepairedVersion{s.Name, s.Version, true, mask, s.UpdatedAt})
		}
	}
	return found
}

// versions returns the old versions of those secrets that open.
func (r *repair) versions(
	secrets map[uuid.UUID]vault.StoredSecret,
) (found []vault.StoredVersion) {
	for _, v := range r.rows.versions {
		of, known := secrets[v.Secret]
		if !known {
			r.leaveOut("version %d of secret %s: the secret is left out, or missing", v.Number,
				v.Secret)
			continue
		}
		mask, err := r.open(v.Binding(of), v.SealedValue, v.SealedMask)
		switch {
		case !r.own.listsVersion(v):
			r.leaveOut("%s version %d: the ledger does not list it", of.Name, v.Number)
		case v.Number >= of.Version:
			r.leaveOut("%s version %d: it is not older than the current one", of.Name, v.Number)
		case err != nil:
			r.leaveOut("%s version %d: %v", of.Name, v.Number, err)
		default:
			found = append(found, v)
			r.done.Versions = append(r.done.Versions,
				RepairedVersion{of.Name, v.Number, false, mask, v.CreatedAt})
		}
	}
	return found
}

var errForeignKey = errors.New("no owner key that is used sealed it")

// open returns the mask of a version whose value opens, too.
func (r *repair) open(b seal.Binding, value, mask []byte) (string, error) {
	id, err := seal.KeyID(value)
	key, found := r.rows.keys[id]
	if err == nil && !found {
		err = errForeignKey
	}
	if err == nil {
		_, err = key.OpenValue(b, value)
	}
	if err != nil {
		return "", err
	}
	return key.OpenMask(b, mask)
}

// namesInLog returns the names that a user has as a target in the user's own chain.
func namesInLog(chain []audit.Linked, user uuid.UUID) (names []string) {
	names = []string{}
	for _, e := range chain {
		if e.Target.Kind == audit.TargetUser && e.Target.ID == user &&
			e.Action == string(policy.UserCreate) {
			names = append(names, e.Target.Name)
		}
	}
	return names
}
