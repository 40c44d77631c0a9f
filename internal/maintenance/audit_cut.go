package maintenance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/vault"
)

// An AuditCut says what was cut off.
type AuditCut struct {
	Chains  int    `json:"chains"`
	Entries uint64 `json:"entries"`
}

// cutEvery is how many entries are removed in one transaction.
const cutEvery = 10_000

// CutAudit removes from the audit log the entries of before a time that an export has. It verifies
// the whole export first, and then each chain from there to its end. Servers may be running. An
// interrupted cut continues with the same call.
func CutAudit(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, file string, before time.Time,
) (done AuditCut, err error) {
	err = withShared(ctx, cfg, ask, func(i *instance.Instance) error {
		keys, err := i.Operator.CheckpointKeys()
		if err != nil {
			return err
		}
		beginnings, err := readBeginnings(file, keys, before)
		if err != nil {
			return fmt.Errorf("%s: %w. Nothing was removed", file, err)
		}
		for _, b := range beginnings {
			n, err := i.Operator.CutAudit(ctx, b.chain, b.heads)
			if done.Entries += n; n > 0 {
				done.Chains++
			}
			if errors.Is(err, vault.ErrNotFound) {
				err = errors.New("the database does not have this chain")
			}
			if err != nil {
				return fmt.Errorf("cut the chain of %s: %w", b.chain, err)
			}
		}
		return nil
	})
	return done, err
}

// A beginning is the part of an exported chain that is older than a time: some heads in it, and the
// last.
type beginning struct {
	chain uuid.UUID
	heads []audit.Head
	ended bool
}

// readBeginnings verifies an export and returns the beginnings of its chains.
func readBeginnings(file string, keys []string, before time.Time) ([]*beginning, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	var all []*beginning
	trust := audit.Trust{Keys: keys, Each: func(e audit.Linked) error {
		if len(all) == 0 || all[len(all)-1].chain != e.Owner {
			all = append(all, &beginning{chain: e.Owner})
		}
		all[len(all)-1].add(e, before)
		return nil
	}}
	report, err := trust.Verify(f)
	if err != nil {
		return nil, err
	}
	for _, fault := range report.Faults {
		if _, ok := errors.AsType[*audit.UnprovedError](fault); !ok { // such a chain stays as it is
			err = errors.Join(err, fault)
		}
	}
	return all, err
}

func (b *beginning) add(e audit.Linked, before time.Time) {
	if b.ended = b.ended || !e.At.Before(before); b.ended {
		return
	}
	if n := len(b.heads); n > 0 && b.heads[n-1].Seq%cutEvery != 0 {
		b.heads = b.heads[:n-1]
	}
	b.heads = append(b.heads, audit.Head{Seq: e.Seq, Hash: e.Hash})
}
