package doctor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// All is the sample that leaves nothing out.
const All = -1

// Examine reads every row of src. It opens every owner key with the given root keys, and the value
// and mask of a random sample of versions ([All] for all of them). It verifies every ledger with
// the given instance keys, that each lists exactly the rows that there are, and every audit chain.
// An error is one of reading src; what is wrong with its rows is in the checks.
func Examine(ctx context.Context, src backup.Source, keys Keys, sample int) ([]Check, error) {
	e := &examination{
		src: src, roots: keys.Roots, instanceKeys: keys.Instance, isClosed: keys.IsClosed,
	}
	return e.examine(ctx, sample)
}

// Keys are what an examination opens and verifies with.
type Keys struct {
	Roots    map[uuid.UUID]seal.RootKey
	Instance anchor.Keys
	// IsClosed reports whether an instance key is believed and does not open: what it signed is
	// not known to be wrong. Nil stands for none.
	IsClosed func(id uuid.UUID) bool
}

func (e *examination) examine(ctx context.Context, sample int) ([]Check, error) {
	tables, err := e.src.Tables(ctx)
	if err != nil {
		return nil, err
	}
	rows := map[string]int64{}
	for _, t := range tables {
		rows[t.Name] = t.Rows
	}
	versions := rows["secrets"] + rows["secret_versions"]
	e.sampler = newSampler(sample, versions)
	if err := e.run(ctx); err != nil {
		return nil, err
	}
	return e.checks(rows, versions), nil
}

// An examination is one pass over all rows, library by library.
type examination struct {
	src     backup.Source
	roots   map[uuid.UUID]seal.RootKey
	sampler sampler

	instanceKeys anchor.Keys
	isClosed     func(id uuid.UUID) bool // nil for none
	unverified   int                     // ledgers that a closed key signed
	gone         anchor.Ledger           // the instance's ledger, if it verifies
	unseen       map[uuid.UUID]bool      // the users whom it lists and whose rows were not read yet

	rows, keys, values, chains, ledgers findings
	opened, chainsSeen, libraries       int64

	without []uuid.UUID // the users whose rows were taken out of src
	broken  []uuid.UUID // the users of whom something does not verify
}

// found returns how much was found that is wrong with the rows of single users.
func (e *examination) found() int64 {
	return e.keys.wrong + e.values.wrong + e.chains.wrong + e.ledgers.wrong
}

// streams have the rows of all libraries, in the order of their owners.
type streams struct {
	keys     *stream[ownerKey]
	apiKeys  *stream[vault.APIKey]
	secrets  *stream[vault.StoredSecret]
	versions *stream[vault.StoredVersion]
	leases   *stream[vault.StoredLease]
	done     *stream[vault.DoneRequest]
	entries  *stream[audit.Linked]
}

func (e *examination) run(ctx context.Context) error {
	s := streams{
		newStream(e, e.ownerKeys(ctx), "owner key", func(k ownerKey) uuid.UUID { return k.User }),
		newStream(e, store.APIKeys(ctx, e.src), "API key",
			func(k vault.APIKey) uuid.UUID { return k.User }),
		newStream(e, store.Secrets(ctx, e.src), "secret",
			func(s vault.StoredSecret) uuid.UUID { return s.User }),
		newStream(e, store.Versions(ctx, e.src), "version",
			func(v vault.StoredVersion) uuid.UUID { return v.User }),
		newStream(e, store.Leases(ctx, e.src), "lease",
			func(l vault.StoredLease) uuid.UUID { return l.User }),
		newStream(e, store.DoneRequests(ctx, e.src), "request",
			func(d vault.DoneRequest) uuid.UUID { return d.User }),
		newStream(e, store.AuditEntries(ctx, e.src), "audit entry",
			func(a audit.Linked) uuid.UUID { return a.Owner }),
	}
	defer s.keys.stop()
	defer s.apiKeys.stop()
	defer s.secrets.stop()
	defer s.versions.stop()
	defer s.leases.stop()
	defer s.done.stop()
	defer s.entries.stop()
	for o, err := range e.owners(ctx) {
		before := e.found()
		if err == nil {
			err = e.checkOwner(o, s)
		}
		if err != nil {
			return err
		}
		if !o.instance && e.found() > before {
			e.broken = append(e.broken, o.Owner)
		}
	}
	e.checkGone()
	return errors.Join(
		s.keys.drain(), s.apiKeys.drain(), s.secrets.drain(), s.versions.drain(),
		s.leases.drain(), s.done.drain(), s.entries.drain())
}

// damaged counts an error that is one of a single row, and reports whether it was.
func (e *examination) damaged(err error) bool {
	row, found := errors.AsType[*store.DamagedError](err)
	if found {
		e.rows.add("%v", row)
	}
	return found
}

func damagedRow(err error) bool {
	_, found := errors.AsType[*store.DamagedError](err)
	return found
}

func (e *examination) checks(rows map[string]int64, versions int64) []Check {
	values := fmt.Sprintf("all %d versions open, value and mask", e.opened)
	if e.opened < versions {
		values = fmt.Sprintf("%d of %d versions were opened, value and mask, a random sample",
			e.opened, versions)
	}
	const restore = "restore a backup from before the change into another folder, and compare"
	all := []Check{
		e.rows.check("rows", "none is damaged", "are damaged", restore),
		e.keys.check("owner keys", fmt.Sprintf("all %d open", rows["owner_keys"]),
			"do not open", "put their root key back; or "+restore),
		e.values.check("values", values, "do not open", restore),
		e.chains.check("audit log", fmt.Sprintf("%d chains with %d entries verify to their ends",
			e.chainsSeen, rows["audit_entries"]), "chains do not verify",
			"something other than Keysake changed the database: find out what; "+restore),
		e.checkLedgers(restore),
	}
	if !e.gone.HasRoom() {
		all = append(all, Check{
			Name: "room for users", Status: Warning,
			Text: fmt.Sprintf("the instance's ledger is %.0f%% full: from 75%% on nobody new "+
				"becomes a user by signing in", 100*e.gone.Fill()),
			Advice: "demand more of who signs in, with --oidc-allow; run keysake users unlink " +
				"for whoever is not to come in any more, before you delete the user",
		})
	}
	return all
}

func (e *examination) checkLedgers(restore string) Check {
	if e.unverified == 0 || e.ledgers.wrong > 0 {
		return e.ledgers.check("ledgers",
			fmt.Sprintf("%d libraries have the rows that their ledgers list", e.libraries),
			"rows or ledgers are not what was stored",
			"something other than Keysake changed the database: find out what; "+restore)
	}
	return Check{
		Name: "ledgers", Status: Failed,
		Text: fmt.Sprintf("%d ledgers cannot be verified: the instance key that signed them does "+
			"not open", e.unverified),
		Advice: "put its root key back, and look again; or " + restore,
	}
}

// A sampler selects some of many, each as likely as any other (Knuth, The Art of Computer
// Programming, volume 2, 3.4.2, algorithm S).
type sampler struct{ want, left int64 }

func newSampler(sample int, of int64) sampler {
	if sample < 0 {
		return sampler{of, of}
	}
	return sampler{min(int64(sample), of), of}
}

func (s *sampler) next() bool {
	if s.left <= 0 {
		return false
	}
	selected := rand.Int64N(s.left) < s.want //nolint:gosec // the selection need not be secret
	s.left--
	if selected {
		s.want--
	}
	return selected
}
