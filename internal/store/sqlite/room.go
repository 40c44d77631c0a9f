package sqlite

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/keysake/keysake/internal/vault"
)

// A full disk must not keep anyone from revoking and deleting. So a file beside the database holds
// some disk space, which is given back for the updates that need it, and taken again after them.
// All other updates are refused before the disk is full.

const (
	// maxReserve is the size of the reserve: enough to delete a user with as many bytes.
	maxReserve = 8 << 20
	// reservePart and floorPart bound the reserve and the floor on a small file system, as parts of
	// its size.
	reservePart, floorPart = 8, 10
	// reserveBlock is what the reserve grows by at least.
	reserveBlock = 4 << 10
)

// errLow is the error of an update while too little disk space is left.
var errLow = &vault.Error{
	Kind:   vault.Unavailable,
	Detail: "The server's disk is almost full: only revoking and deleting work until it has room",
}

// A room is the disk space of a database. Only the writer changes the reserve.
type room struct {
	dir, database, path string
	keep                bool // this process makes the reserve; others only give it back
	minFree             atomic.Uint64
	given               int64 // how much of the reserve the update that runs has been given
}

func newRoom(path string, shared bool) *room {
	return &room{
		dir: filepath.Dir(path), database: path, path: path + ".reserve", keep: !shared,
	}
}

// startRoom is what a database needs to be opened: the index of its log, and a little.
const startRoom = 256 << 10

// giveToStart gives the reserve to a first start on a full disk. A database that is open already
// needs none.
func (r *room) giveToStart() {
	_, err := os.Stat(r.database + "-shm")
	if free, _ := r.space(); errors.Is(err, fs.ErrNotExist) && free < startRoom {
		r.give()
	}
}

// space returns the free bytes, and how many must be free for an update that is not reserved.
func (r *room) space() (free, floor uint64) {
	free, size := DiskSpace(r.dir)
	return free, min(r.minFree.Load(), size/floorPart)
}

// low reports whether only reserved updates may be written.
func (r *room) low() bool {
	free, floor := r.space()
	return free < floor
}

// size returns the size of the reserve.
func (r *room) size() int64 {
	info, err := os.Stat(r.path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// target returns what the size of the reserve should be.
func (r *room) target() int64 {
	_, size := DiskSpace(r.dir)
	return int64(min(maxReserve, size/reservePart)) / reserveBlock * reserveBlock
}

// give gives half of the reserve to the update that runs, and the rest the next time: a program
// that fills the disk may be faster. It is false if there is nothing to give.
func (r *room) give() bool {
	size := r.size()
	if size == 0 {
		return false
	}
	left := size / 2 / reserveBlock * reserveBlock
	if r.given > 0 {
		left = 0
	}
	if err := os.Truncate(r.path, left); err != nil {
		return false
	}
	r.given += size - left
	return true
}

// takeBack takes what was given, as far as it is there.
func (r *room) takeBack() {
	if r.given == 0 || !r.keep {
		return
	}
	free, _ := r.space()
	size := r.size()
	r.grow(size, min(size+r.given, size+int64(min(free, maxReserve))))
	r.given = 0
}

// refill makes the reserve, and makes it whole again when other updates have room enough.
func (r *room) refill() {
	free, floor := r.space()
	if size := r.size(); r.keep && free > floor {
		r.grow(size, min(r.target(), size+int64(min(free-floor, maxReserve))))
	}
}

// grow makes the reserve as large as it can, up to a size. An error is none of an update's: the
// next refill tries again.
func (r *room) grow(size, to int64) {
	f, err := os.OpenFile(r.path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	// The file system needs some of the room itself.
	for more := (to - size) / reserveBlock * reserveBlock; more >= reserveBlock; more /= 2 {
		if allocate(f, size, size+more) == nil {
			return
		}
		_ = f.Truncate(size)
	}
}

// writeUpTo lets a file grow by bytes that a file system does not compress.
func writeUpTo(f *os.File, from, size int64) error {
	block := make([]byte, 1<<16)
	for at := from; at < size; at += int64(len(block)) {
		if _, err := rand.Read(block); err != nil {
			return err
		}
		if _, err := f.WriteAt(block[:min(int64(len(block)), size-at)], at); err != nil {
			return err
		}
	}
	return nil
}
