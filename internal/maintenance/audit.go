package maintenance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/vault"
)

// An AuditLog is what is public about an audit log.
type AuditLog struct {
	Key    string      `json:"key"` // that verifies checkpoints
	Chains []AuditHead `json:"chains"`
}

// An AuditHead is the end of one chain.
type AuditHead struct {
	ID      uuid.UUID  `json:"id"`
	Whose   string     `json:"whose"` // a user's name, or what it is
	Entries uint64     `json:"entries"`
	Hash    audit.Hash `json:"hash"`
	Broken  bool       `json:"broken,omitzero"` // the ledger does not verify: nothing is known
}

// withShared calls fn with an open data folder, whose server may be running.
func withShared(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, fn func(*instance.Instance) error,
) (err error) {
	i, err := instance.Open(ctx, cfg, instance.NewKeys(cfg, ask), instance.Shared)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	return fn(i)
}

// ReadAuditLog returns the ends of all audit chains, that of the instance first.
func ReadAuditLog(
	ctx context.Context, cfg config.Config, ask rootkey.Ask,
) (log AuditLog, err error) {
	err = withShared(ctx, cfg, ask, func(i *instance.Instance) error {
		own, err := i.AuditHead(ctx)
		if err != nil {
			return err
		}
		heads, err := i.Operator.AuditHeads(ctx)
		if err != nil {
			return err
		}
		names, err := i.Operator.Usernames(ctx)
		if err != nil {
			return err
		}
		names[own.Owner] = "the instance"
		for _, l := range heads {
			whose, found := names[l.Owner]
			if !found {
				whose = "a deleted user"
			}
			if !l.Proved() {
				log.Chains = append(log.Chains,
					AuditHead{ID: l.Owner, Whose: "a user whose ledger was changed", Broken: true})
				continue
			}
			log.Chains = append(log.Chains, AuditHead{l.Owner, whose, l.Seq, l.Hash, false})
		}
		slices.SortStableFunc(log.Chains, func(a, b AuditHead) int {
			switch own.Owner {
			case a.ID:
				return -1
			case b.ID:
				return 1
			}
			return 0
		})
		keys, err := i.Operator.CheckpointKeys()
		if err == nil {
			log.Key = keys[0]
		}
		return err
	})
	return log, err
}

// MakeCheckpoint makes a checkpoint of the audit log, and keeps it in the folder of checkpoints.
func MakeCheckpoint(
	ctx context.Context, cfg config.Config, ask rootkey.Ask,
) (made instance.KeptCheckpoint, err error) {
	err = withShared(ctx, cfg, ask, func(i *instance.Instance) (err error) {
		made, err = i.MakeCheckpoint(ctx, cfg)
		return err
	})
	return made, err
}

// An AuditExport is what was exported.
type AuditExport struct {
	File    string `json:"file"`
	Chains  int    `json:"chains"`
	Entries uint64 `json:"entries"`

	Checkpoint instance.KeptCheckpoint `json:"-"`
}

// ExportAudit makes a checkpoint and writes the audit log up to it to a new file: all chains, or
// the one of a user (a name, or the id of any chain). Only the owner of the file may read it.
func ExportAudit(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, file, user string,
) (made AuditExport, err error) {
	if _, err := os.Lstat(file); err == nil {
		return made, fmt.Errorf("%s already exists: choose another name", file)
	}
	made.File = file
	err = withShared(ctx, cfg, ask, func(i *instance.Instance) error {
		if made.Checkpoint, err = i.MakeCheckpoint(ctx, cfg); err != nil {
			return err
		}
		x := audit.Export{
			Note: made.Checkpoint.Note, Successions: made.Checkpoint.Successions,
			Leaves: made.Checkpoint.Leaves,
		}
		if user != "" {
			if err := selectChain(ctx, i.Operator, &x, user); err != nil {
				return err
			}
		}
		made.Chains = len(x.Leaves)
		err := privatefile.Create(file, func(f *os.File) (err error) {
			made.Entries, err = writeExport(ctx, i, x, f)
			return err
		})
		if errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("%s was created in the meantime and was not overwritten", file)
		}
		return err
	})
	return made, err
}

// selectChain leaves only the chain of a user in an export, with the proof that it is one of all.
func selectChain(ctx context.Context, o *vault.Operator, x *audit.Export, user string) error {
	id, err := uuid.Parse(user) // also of a user who was deleted, and of the instance
	if err != nil {
		if id, err = o.FindUser(ctx, user); err != nil && !errors.Is(err, vault.ErrNotFound) {
			return err
		}
	}
	index := slices.IndexFunc(x.Leaves, func(l audit.Leaf) bool { return l.Owner == id })
	if index < 0 {
		return errors.New(`no such user: "keysake audit head" shows them all`)
	}
	x.Index, x.Proof = uint64(index), audit.Prove(x.Leaves, index)
	x.Leaves = x.Leaves[index : index+1]
	return nil
}

// writeExport returns how many entries it wrote.
func writeExport(
	ctx context.Context, i *instance.Instance, x audit.Export, f *os.File,
) (n uint64, err error) {
	err = i.Operator.ReadAudit(ctx, func(entries audit.Entries) error {
		n = 0
		if err := f.Truncate(0); err != nil { // it may be called again
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return x.Write(f, func(l audit.Leaf) (audit.Head, iter.Seq2[audit.Linked, error]) {
			cut, all := entries(l)
			n += l.Seq - cut.Seq
			return cut, all
		})
	})
	return n, err
}
