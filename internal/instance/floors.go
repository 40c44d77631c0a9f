package instance

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/floors"
	"github.com/keysake/keysake/internal/rootkey"
)

// keptFloors are the floors of an instance in their file.
type keptFloors struct {
	file *floors.File

	mu      sync.Mutex
	key     uuid.UUID // the instance key that signs; nil before the database is initialized
	keys    []uuid.UUID
	resets  map[uuid.UUID]uint64
	damaged int
}

// FloorsFile returns the path of the floors file; empty for none. By default it is beside the first
// of the root keys, if that is a file outside of the data folder, or beside the keys file.
func FloorsFile(cfg config.Config, rootKeys []string) (string, error) {
	if cfg.Floors != "" {
		return filepath.Abs(cfg.Floors)
	}
	if cfg.Dev {
		return "", nil
	}
	data, err := filepath.Abs(cfg.Data)
	if err != nil {
		return "", err
	}
	keys, err := cfg.KeysFile()
	if err != nil {
		return "", err
	}
	beside := []string{keys}
	if len(rootKeys) > 0 {
		if path, isFile := rootkey.FilePath(rootKeys[0]); isFile {
			if path, err = filepath.Abs(path); err != nil {
				return "", err
			}
			beside = []string{path, keys}
		}
	}
	for _, path := range beside {
		if dir := filepath.Dir(path); dir != data {
			return filepath.Join(dir, filepath.Base(data)+".floors"), nil
		}
	}
	return "", nil
}

// Floors returns what the floors file says, by user, and the path of the file; nothing if there is
// none.
func (k *Keys) Floors() (numbers map[uuid.UUID]uint64, path string, err error) {
	urls, ids, err := k.Named()
	if err != nil {
		return nil, "", err
	}
	if path, err = FloorsFile(k.cfg, urls); err != nil || path == "" {
		return nil, "", err
	}
	content, err := floors.New(path).Read()
	return content.Of(ids), path, err
}

// openFloors reads the floors, for a database that was initialized.
func (i *Instance) openFloors(cfg config.Config) error {
	urls, ids, err := i.Keys.Named()
	if err != nil {
		return nil //nolint:nilerr // openKeys says what to do about the keys file
	}
	path, err := FloorsFile(cfg, urls)
	if err != nil || path == "" {
		return err
	}
	kept := &keptFloors{file: floors.New(path), keys: ids}
	if len(ids) > 0 {
		kept.key = ids[0]
	}
	content, err := kept.file.Read()
	if err != nil {
		return err
	}
	kept.resets, kept.damaged = content.Resets, content.Damaged
	i.Operator.KeepFloors(content.Of(ids))
	i.floors = kept
	return nil
}

// DamagedFloors returns how many records of the floors file were not completely written, and the
// path of the file; empty for none.
func (i *Instance) DamagedFloors() (records int, path string) {
	if i.floors == nil {
		return 0, ""
	}
	return i.floors.damaged, i.floors.file.Path()
}

// BeginFloors learns how new all data is, for a server whose floors file does not exist yet.
func (i *Instance) BeginFloors(ctx context.Context) error {
	if i.floors == nil || i.floors.file.Exists() {
		return nil
	}
	return i.Operator.SeeAll(ctx)
}

// SaveFloors stores the floors that were raised since it was last called, and takes over what
// commands have stored. The server calls it every second. What cannot be stored is kept for the
// next call.
func (i *Instance) SaveFloors() (err error) {
	if i.floors == nil {
		return nil
	}
	k := i.floors
	k.mu.Lock()
	defer k.mu.Unlock()
	for range 3 {
		raised := i.Operator.UnsavedFloors()
		if len(raised) > 0 {
			if err = k.name(i.Keys); err != nil {
				i.Operator.NotSaved(raised)
				return err
			}
		}
		if err = k.file.Raise(k.records(raised)); err == nil {
			return nil
		}
		i.Operator.NotSaved(raised)
		if !errors.Is(err, floors.ErrChanged) {
			return err
		}
		if err = i.followFloors(); err != nil {
			return err
		}
	}
	return floors.ErrBusy
}

// name learns which instance key signs now: init makes it, and the keys file may have changed.
func (k *keptFloors) name(keys *Keys) error {
	_, ids, err := keys.Named()
	if err == nil && len(ids) > 0 {
		k.key, k.keys = ids[0], ids
	}
	return err
}

func (k *keptFloors) records(numbers map[uuid.UUID]uint64) map[floors.Ledger]uint64 {
	records := make(map[floors.Ledger]uint64, len(numbers))
	for user, n := range numbers {
		records[floors.Ledger{Key: k.key, User: user}] = n
	}
	return records
}

// followFloors takes over what another process wrote: floors, or that the operator accepts an older
// database. A file that is new gets all floors again.
func (i *Instance) followFloors() error {
	k := i.floors
	content, err := k.file.Read()
	if err != nil {
		return err
	}
	numbers := content.Of(k.keys)
	reset := false
	for _, key := range k.keys {
		reset = reset || content.Resets[key] > k.resets[key]
	}
	k.resets = content.Resets
	if reset {
		i.Operator.ReplaceFloors(numbers)
		return nil
	}
	i.Operator.RaiseFloors(numbers)
	all := i.Operator.AllFloors()
	for user, n := range numbers {
		if all[user] == n {
			delete(all, user)
		}
	}
	i.Operator.NotSaved(all)
	return nil
}

// leaveFloors stores the floors that a command or a server has raised, when it ends. That is the
// last of what they do: if the file cannot be written, a server finds the numbers in the database.
// Only a server creates the file: a command may be of another user.
func (i *Instance) leaveFloors() {
	if i.floors == nil || !i.floors.file.Exists() {
		return
	}
	for range 20 {
		if err := i.SaveFloors(); !errors.Is(err, floors.ErrBusy) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// ErrNoFloors means that there is no floors file.
var ErrNoFloors = errors.New("there is no floors file: floors are forgotten when a server ends")

// ResetFloors stores numbers in the place of all floors.
func (i *Instance) ResetFloors(numbers map[uuid.UUID]uint64) error {
	if i.floors == nil {
		return ErrNoFloors
	}
	k := i.floors
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.file.Reset(k.key, numbers); err != nil {
		return err
	}
	for _, other := range k.keys {
		if other != k.key {
			if err := k.file.Reset(other, nil); err != nil {
				return err
			}
		}
	}
	return i.followFloors()
}
