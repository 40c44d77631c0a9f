package storetest

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/vault"
)

func auditBehaviours() []behaviour {
	return []behaviour{
		{"an entry is read back as it was appended", func(s subject) {
			full := entryOf(newID(), 1)
			bare := audit.Linked{
				Entry: audit.Entry{
					Owner:   full.Owner,
					Seq:     2,
					At:      moment(1),
					Action:  "user.create",
					Outcome: audit.Refused,
				},
			}
			last := entryOf(full.Owner, most)
			last.Target.Version = most
			for _, e := range []audit.Linked{full, bare, last} {
				s.appendEntry(e)
			}
			s.wantSame("entries", s.entries(full.Owner), []audit.Linked{full, bare, last})
		}},
		{"an entry with odd characters is read back as it was appended", func(s subject) {
			owner := newID()
			var want []audit.Linked
			for i, odd := range oddTexts() {
				e := entryOf(owner, uint64(i)+1)
				e.Target.Name = odd
				s.appendEntry(e)
				want = append(want, e)
			}
			s.wantSame("entries", s.entries(owner), want)
		}},
		{"entries come by number, whatever order they were appended in", func(s subject) {
			owner := newID()
			for _, seq := range []uint64{100, 9, 1, 11, 10, 2, 99} {
				s.appendEntry(entryOf(owner, seq))
			}
			var order []uint64
			for _, e := range s.entries(owner) {
				order = append(order, e.Seq)
			}
			s.wantSame("order", order, []uint64{1, 2, 9, 10, 11, 99, 100})
		}},
		{"a number in a chain is given once", func(s subject) {
			e := entryOf(newID(), 1)
			s.appendEntry(e)
			s.refuses(vault.Conflict, "same number", func(tx vault.Tx) error {
				return tx.AppendAudit(s.ctx, oneEntry(e.Owner, 1))
			})
			s.wantSame("entries", s.entries(e.Owner), []audit.Linked{e})
		}},
	}
}

func chainBehaviours() []behaviour {
	return []behaviour{
		{"each owner's chain is its own", func(s subject) {
			first, second := entryOf(newID(), 1), entryOf(newID(), 1)
			s.appendEntry(first)
			s.appendEntry(second)
			s.wantSame("entries", s.entries(first.Owner), []audit.Linked{first})
			s.wantSame("entries", s.entries(second.Owner), []audit.Linked{second})
			s.wantSame("entries of an unknown user", len(s.entries(newID())), 0)
		}},
		{"a part of a chain is read and cut off, and the last entry of a kind found", partsAreRead},
		{"an error ends the reading, and is what the reading returns", stopsReading},
		{"a chain still verifies when it comes back", chainVerifies},
		{"a chain outlives its user", func(s subject) {
			ann := s.addUser("ann")
			e := entryOf(ann.Owner, 1)
			s.appendEntry(e)
			s.update(func(tx vault.Tx) error { return tx.DeleteUser(s.ctx, ann.Owner, moment(0)) })
			s.wantSame("entries", s.entries(ann.Owner), []audit.Linked{e})
		}},
	}
}

// oneEntry is entryOf as an append takes it.
func oneEntry(owner uuid.UUID, seq uint64) []audit.Linked {
	return []audit.Linked{entryOf(owner, seq)}
}

func entryOf(owner uuid.UUID, seq uint64) audit.Linked {
	return audit.Linked{Hash: random32(), Entry: audit.Entry{
		Owner:      owner,
		Seq:        seq,
		At:         moment(90),
		User:       newID(),
		Credential: audit.Credential{Kind: audit.CredentialAPIKey, ID: newID()},
		OnBehalfOf: newID(),
		Client:     netip.MustParseAddr("2001:db8::7"),
		Action:     "secret.create",
		Outcome:    audit.Done,
		Target: audit.Target{
			Kind: audit.TargetSecret, ID: newID(), Name: "OPENAI_API_KEY", Version: 1,
		},
		Lease: newID(),
		Run:   "nightly",
	}}
}

func (s subject) appendEntry(e audit.Linked) {
	s.Helper()
	s.update(func(tx vault.Tx) error { return tx.AppendAudit(s.ctx, []audit.Linked{e}) })
}

func (s subject) entries(owner uuid.UUID) []audit.Linked {
	s.Helper()
	return got(s, func(ctx context.Context, r vault.Reader) (all []audit.Linked, err error) {
		err = r.AuditEntries(ctx, owner, func(e audit.Linked) error {
			all = append(all, e)
			return nil
		})
		return all, err
	})
}

func partsAreRead(s subject) {
	var want []audit.Linked
	owner := newID()
	for seq := range uint64(12) {
		e := entryOf(owner, seq+1)
		if seq == 3 || seq == 9 {
			e.Target.Kind = audit.TargetCheckpoint
		}
		s.appendEntry(e)
		want = append(want, e)
	}
	other := entryOf(newID(), 3)
	s.appendEntry(other)
	part := got(s, func(ctx context.Context, r vault.Reader) (all []audit.Linked, err error) {
		err = r.AuditBetween(ctx, owner, 4, 11, func(e audit.Linked) error {
			all = append(all, e)
			return nil
		})
		return all, err
	})
	s.wantSame("part", part, want[4:11])
	last := got(s, func(ctx context.Context, r vault.Reader) (audit.Linked, error) {
		return r.LastTarget(ctx, owner, audit.TargetCheckpoint)
	})
	s.wantSame("last", last, want[9])
	err := s.View(s.ctx, func(r vault.Reader) error {
		_, err := r.LastTarget(s.ctx, owner, audit.TargetRootKey)
		return err
	})
	if !errors.Is(err, vault.ErrNotFound) {
		s.Errorf("of a kind that is not there: %v", err)
	}
	s.update(func(tx vault.Tx) error { return tx.CutAudit(s.ctx, owner, 5) })
	s.wantSame("what is left", s.entries(owner), want[5:])
	s.wantSame("another's", s.entries(other.Owner), []audit.Linked{other})
}

func stopsReading(s subject) {
	owner := newID()
	for seq := range uint64(5) {
		s.appendEntry(entryOf(owner, seq+1))
	}
	errEnough := errors.New("enough")
	calls := 0
	err := s.View(s.ctx, func(r vault.Reader) error {
		return r.AuditEntries(s.ctx, owner, func(audit.Linked) error {
			if calls++; calls == 3 {
				return errEnough
			}
			return nil
		})
	})
	if !errors.Is(err, errEnough) || calls != 3 {
		s.Errorf("got %v after %d entries, want the caller's error after 3", err, calls)
	}
	s.wantSame("how many a later reading finds", len(s.entries(owner)), 5)
}

func chainVerifies(s subject) {
	owner := newID()
	var head audit.Head
	for _, name := range append(oddTexts(), "A", "B", "C") {
		e := entryOf(owner, 0).Entry
		e.Target.Name = name
		head = head.Append(&e)
		s.appendEntry(audit.Linked{Entry: e, Hash: head.Hash})
	}
	read := s.entries(owner)
	verify := func(entries []audit.Linked) error {
		return audit.VerifyChain(owner, audit.Sequence(entries), head)
	}
	if err := verify(read); err != nil {
		s.Error(err)
	}
	if verify(slices.Delete(slices.Clone(read), 2, 3)) == nil {
		s.Error("a chain that lacks an entry verifies: the check above says nothing")
	}
}
