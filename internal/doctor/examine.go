package doctor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/seal"
)

// All is the sample that leaves nothing out.
const All = -1

// Examine opens every owner key of src with the root keys that are given, and a random sample of so
// many versions (value and mask; [All] for all of them), and verifies every audit chain and every
// count. An error is one of reading src; what is wrong with its rows is in the checks.
func Examine(
	ctx context.Context,
	src backup.Source,
	roots map[uuid.UUID]seal.RootKey,
	sample int,
) ([]Check, error) {
	rows, err := src.Count(ctx)
	if err != nil {
		return nil, err
	}
	e := &examination{
		src:      src,
		roots:    roots,
		versions: rows.Secrets + rows.Versions,
		pick:     newPicker(sample, rows.Secrets+rows.Versions),
	}
	if err := e.run(ctx); err != nil {
		return nil, err
	}
	values := fmt.Sprintf("all %d versions open, value and mask", e.opened)
	if e.opened < e.versions {
		values = fmt.Sprintf(
			"%d of %d versions were opened, value and mask, a random sample",
			e.opened,
			e.versions,
		)
	}
	const restore = "restore a backup from before it was changed, beside this one, and compare"
	return []Check{
		e.keys.check(
			"owner keys",
			fmt.Sprintf("all %d open", rows.OwnerKeys),
			"do not open",
			"put their root key back; or "+restore,
		),
		e.values.check("values", values, "do not open", restore),
		e.chains.check(
			"audit log",
			fmt.Sprintf(
				"%d chains with %d entries verify to their ends",
				rows.Instances+rows.Users,
				rows.AuditEntries,
			),
			"chains do not verify",
			"somebody or something changed the database past Keysake: find out who; "+restore,
		),
		e.counts.check(
			"counts",
			fmt.Sprintf("%d libraries have the rows that they say", e.libraries),
			"rows or counts do not fit",
			restore,
		),
	}, nil
}

// OpenOwnerKeys opens every owner key of src. Its error names the first that does not open.
func OpenOwnerKeys(ctx context.Context, src backup.Source, roots map[uuid.UUID]seal.RootKey) error {
	e := &examination{src: src, roots: roots}
	for k, err := range e.unwrapped(ctx) {
		if err = errors.Join(err, k.err); err != nil {
			return fmt.Errorf("owner key %s of user %s: %w", k.ID, k.User, err)
		}
	}
	return nil
}

// examination is one pass over all rows, user by user.
type examination struct {
	src   backup.Source
	roots map[uuid.UUID]seal.RootKey
	pick  picker

	keys, values, chains, counts findings
	libraries, opened, versions  int64
}

// streams are the rows of all users, which come in the users' order.
type streams struct {
	keys     *stream[ownerKey]
	apiKeys  *stream[backup.APIKey]
	secrets  *stream[backup.Secret]
	versions *stream[backup.Version]
	entries  *stream[backup.AuditEntry]
}

func (e *examination) run(ctx context.Context) error {
	s := streams{
		keys: newStream(
			e.unwrapped(ctx),
			"owner key",
			&e.counts,
			func(k ownerKey) uuid.UUID { return k.User },
		),
		apiKeys: newStream(
			e.src.APIKeys(ctx),
			"API key",
			&e.counts,
			func(k backup.APIKey) uuid.UUID { return k.User },
		),
		secrets: newStream(
			e.src.Secrets(ctx),
			"secret",
			&e.counts,
			func(s backup.Secret) uuid.UUID { return s.User },
		),
		versions: newStream(
			e.src.Versions(ctx),
			"version",
			&e.counts,
			func(v backup.Version) uuid.UUID { return v.User },
		),
		entries: newStream(
			e.src.AuditEntries(ctx),
			"audit entry",
			&e.counts,
			func(a backup.AuditEntry) uuid.UUID { return a.Owner },
		),
	}
	defer s.keys.stop()
	defer s.apiKeys.stop()
	defer s.secrets.stop()
	defer s.versions.stop()
	defer s.entries.stop()
	for i, err := range e.src.Instances(ctx) {
		if err != nil {
			return err
		}
		head := audit.Head{Seq: i.AuditSeq, Hash: audit.Hash(i.AuditHash)}
		if err := e.chain(i.ID, head, s.entries); err != nil {
			return err
		}
	}
	for user, err := range e.src.Users(ctx) {
		if err != nil {
			return err
		}
		if err := e.library(user, s); err != nil {
			return err
		}
	}
	return errors.Join(
		s.keys.end(),
		s.apiKeys.end(),
		s.secrets.end(),
		s.versions.end(),
		s.entries.end(),
	)
}

// library examines what one user has.
func (e *examination) library(user backup.User, s streams) error {
	e.libraries++
	keys, closed := map[uuid.UUID]seal.OwnerKey{}, false
	for k, err := range s.keys.of(user.ID) {
		if err != nil {
			return err
		}
		if k.err != nil {
			e.keys.add("owner key %s of user %s: %v", k.ID, user.ID, k.err)
			closed = true
			continue
		}
		keys[k.ID] = k.key
	}
	if _, found := keys[user.OwnerKey]; !found && !closed && user.DeletedAt == nil {
		e.keys.add("user %s has no owner key %s, which seals what is new", user.ID, user.OwnerKey)
	}
	for _, err := range s.apiKeys.of(user.ID) {
		if err != nil {
			return err
		}
	}
	if err := e.secrets(user, keys, s); err != nil {
		return err
	}
	head := audit.Head{Seq: user.AuditSeq, Hash: audit.Hash(user.AuditHash)}
	return e.chain(user.ID, head, s.entries)
}

// secrets opens the values and masks that are picked, and counts.
func (e *examination) secrets(user backup.User, keys map[uuid.UUID]seal.OwnerKey, s streams) error {
	current := map[uuid.UUID]uint64{}
	for row, err := range s.secrets.of(user.ID) {
		if err != nil {
			return err
		}
		current[row.ID] = row.Version
		e.open(
			keys,
			seal.Binding{Owner: user.ID, Subject: row.ID, Version: row.Version},
			row.SealedMask,
			row.SealedValue,
		)
	}
	if n := int64(len(current)); n != user.Secrets {
		e.counts.add("user %s has %d secrets, and counts %d", user.ID, n, user.Secrets)
	}
	for row, err := range s.versions.of(user.ID) {
		if err != nil {
			return err
		}
		if now, found := current[row.Secret]; !found || row.Version >= now {
			e.counts.add(
				"version %d of secret %s is not older than a secret of its user",
				row.Version,
				row.Secret,
			)
		}
		e.open(
			keys,
			seal.Binding{Owner: user.ID, Subject: row.Secret, Version: row.Version},
			row.SealedMask,
			row.SealedValue,
		)
	}
	return nil
}

// open opens one version, if it is picked, and forgets what it was.
func (e *examination) open(keys map[uuid.UUID]seal.OwnerKey, at seal.Binding, mask, value []byte) {
	if !e.pick.next() {
		return
	}
	e.opened++
	err := openWith(
		keys,
		value,
		func(k seal.OwnerKey) error { _, err := k.OpenValue(at, value); return err },
	)
	if err == nil {
		err = openWith(
			keys,
			mask,
			func(k seal.OwnerKey) error { _, err := k.OpenMask(at, mask); return err },
		)
	}
	if err != nil {
		e.values.add(
			"version %d of secret %s of user %s: %v",
			at.Version,
			at.Subject,
			at.Owner,
			err,
		)
	}
}

var errNoOwnerKey = errors.New("its owner key is not there, or does not open")

func openWith(keys map[uuid.UUID]seal.OwnerKey, blob []byte, open func(seal.OwnerKey) error) error {
	id, err := seal.KeyID(blob)
	if err != nil {
		return err
	}
	key, found := keys[id]
	if !found {
		return errNoOwnerKey
	}
	return open(key)
}

// chain verifies one audit chain.
func (e *examination) chain(
	owner uuid.UUID, head audit.Head, entries *stream[backup.AuditEntry],
) error {
	err := audit.Chain{}.Verify(owner, linked(entries.of(owner)), head)
	if broken, ok := errors.AsType[*audit.BreakError](err); ok {
		e.chains.add("%v", broken)
		err = nil
	}
	for _, rest := range entries.of(owner) { // those that came after a break
		err = errors.Join(err, rest)
	}
	return err
}

func linked(entries iter.Seq2[backup.AuditEntry, error]) iter.Seq2[audit.Linked, error] {
	return func(yield func(audit.Linked, error) bool) {
		for e, err := range entries {
			client, _ := netip.ParseAddr(e.Client)
			l := audit.Linked{Hash: audit.Hash(e.Hash), Entry: audit.Entry{
				Owner: e.Owner, Seq: e.Seq, At: time.UnixMicro(e.At).UTC(), User: e.User,
				Credential: audit.Credential{
					Kind: audit.CredentialKind(e.CredentialKind), ID: e.CredentialID,
				},
				OnBehalfOf: e.OnBehalfOf, Client: client, Action: e.Action,
				Outcome: audit.Outcome(e.Outcome),
				Target: audit.Target{
					Kind: audit.TargetKind(e.TargetKind), ID: e.TargetID, Name: e.TargetName,
					Version: e.TargetVersion,
				},
				Lease: e.Lease, Run: e.Run,
			}}
			if !yield(l, err) {
				return
			}
		}
	}
}

// A picker picks so many of so many, each as likely as any other (Knuth, The Art of Computer
// Programming, volume 2, 3.4.2, algorithm S).
type picker struct{ want, left int64 }

func newPicker(sample int, of int64) picker {
	if sample < 0 {
		return picker{of, of}
	}
	return picker{min(int64(sample), of), of}
}

func (p *picker) next() bool {
	if p.left <= 0 {
		return false
	}
	picked := rand.Int64N(
		p.left,
	) < p.want //nolint:gosec // which of them are looked at need not be secret
	p.left--
	if picked {
		p.want--
	}
	return picked
}
