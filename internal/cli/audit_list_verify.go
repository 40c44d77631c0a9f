package cli

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/wire"
)

var errBadAnswer = errors.New("the server's answer is not an audit log: check the address")

// auditVerifyChain reads a whole chain, computes it again from its beginning to its head, and looks
// for the entry of a head that was kept.
func (a *app) auditVerifyChain(ctx context.Context, read pageReader, kept string) error {
	keptHead, err := parseHead(kept)
	if err != nil {
		return err
	}
	var first wire.AuditPage
	var entries []audit.Linked // newest first
	for page, err := range pages(ctx, read, client.AuditFilter{}, 0) {
		if err != nil {
			return err
		}
		if first.Chain == "" {
			first = page
		}
		for _, e := range page.Entries {
			entry, err := linked(e)
			if err != nil {
				return err
			}
			entries = append(entries, entry)
		}
	}
	slices.Reverse(entries)
	cut, badCut := headOf(first.Cut)
	head, badHead := headOf(first.Head)
	owner, badOwner := uuid.Parse(first.Chain)
	if badCut != nil || badHead != nil || badOwner != nil {
		return errBadAnswer
	}
	if err := audit.VerifyChainFrom(cut, owner, audit.Sequence(entries), head); err != nil {
		return err
	}
	if keptHead.Seq > 0 {
		if err := checkKept(keptHead, cut, entries); err != nil {
			return err
		}
	}
	return a.print(fmt.Sprintf("The chain holds: %s, up to %d:%s\n",
		count(len(entries), "entry", "entries"), head.Seq, head.Hash))
}

// checkKept checks that a chain has the entry of a head that was kept.
func checkKept(kept, cut audit.Head, entries []audit.Linked) error {
	switch {
	case kept == cut:
		return nil
	case kept.Seq <= cut.Seq:
		return fmt.Errorf("the entries up to %d were cut off: the head cannot be compared", cut.Seq)
	case kept.Seq > cut.Seq+uint64(len(entries)):
		return fmt.Errorf("the end of the chain is missing: it had %d entries", kept.Seq)
	case entries[kept.Seq-cut.Seq-1].Hash != kept.Hash:
		return fmt.Errorf("the chain is another one: entry %d had another hash", kept.Seq)
	}
	return nil
}

// parseHead reads a head as --verify prints it: number, colon, hash.
func parseHead(text string) (audit.Head, error) {
	if text == "" {
		return audit.Head{}, nil
	}
	number, hash, _ := strings.Cut(text, ":")
	seq, err := strconv.ParseInt(number, 10, 64)
	head, badHead := headOf(wire.AuditHead{Seq: seq, Hash: hash})
	if err != nil || badHead != nil || seq < 1 {
		return head, usagef("--head must be a number, a colon and a hash, as --verify prints them")
	}
	return head, nil
}

func headOf(h wire.AuditHead) (audit.Head, error) {
	hash, err := hex.DecodeString(h.Hash)
	if err != nil || len(hash) != len(audit.Hash{}) || h.Seq < 0 {
		return audit.Head{}, errBadAnswer
	}
	return audit.Head{Seq: uint64(h.Seq), Hash: audit.Hash(hash)}, nil
}

// linked returns an entry as the chain has it. Null stands for what is empty or nil.
func linked(e wire.AuditEntry) (entry audit.Linked, err error) {
	head, err := headOf(wire.AuditHead{Seq: e.Seq, Hash: e.Hash})
	id := func(text *string) (found uuid.UUID) {
		if text == nil || err != nil {
			return uuid.Nil
		}
		found, err = uuid.Parse(*text)
		return found
	}
	entry = audit.Linked{Hash: head.Hash, Entry: audit.Entry{
		Owner: id(&e.Owner), Seq: head.Seq, At: e.At.Time, User: id(e.UserID),
		OnBehalfOf: id(e.OnBehalfOf), Action: e.Action, Outcome: audit.Outcome(e.Outcome),
		Lease: id(e.LeaseID), Run: orEmpty(e.Run),
	}}
	if c := e.Credential; c != nil {
		entry.Credential = audit.Credential{Kind: audit.CredentialKind(c.Kind), ID: id(c.ID)}
	}
	if t := e.Target; t != nil {
		entry.Target = audit.Target{
			Kind: audit.TargetKind(t.Kind), ID: id(t.ID), Name: orEmpty(t.Name),
		}
		if t.Version != nil {
			entry.Target.Version = uint64(*t.Version) //nolint:gosec // another one has another hash
		}
	}
	if e.Client != nil && err == nil {
		entry.Client, err = netip.ParseAddr(*e.Client)
	}
	if err != nil {
		return entry, errBadAnswer
	}
	return entry, nil
}

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
