package maintenance

import (
	"os"
	"path/filepath"

	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/store/sqlite"
)

// checkModes checks that only the owner can read the data folder and the files in it, and that the
// owner is the user of this process.
func (r *reporter) checkModes() {
	open, err := instance.Exposed(r.cfg)
	const name = "file modes"
	switch {
	case err != nil:
		r.fail(name, "check the path and its permissions",
			"the data folder cannot be read: %v", err)
	case len(open) > 0:
		r.add(doctor.Check{
			Name:    name,
			Status:  doctor.Warning,
			Text:    "other users can read or change the data folder",
			Details: open,
			Advice:  "run chmod 700 on the folder and chmod 600 on its files",
		})
	default:
		r.ok(name, "only the owner can read the data folder and its files")
	}
}

// minFree is the least free space, in bytes. If the database is larger than that, as much as it has
// must be free: a restore and a rotation need it.
const minFree = 64 << 20

func (r *reporter) checkFreeDisk() {
	if r.cfg.DatabaseURL != "" {
		return // it is PostgreSQL's
	}
	var used uint64
	for _, suffix := range []string{"", "-wal"} {
		path := filepath.Join(r.cfg.Data, instance.DatabaseFile+suffix)
		if info, err := os.Stat(path); err == nil {
			used += uint64(info.Size()) //nolint:gosec // no file has a negative size
		}
	}
	const name, text = "free disk", "%d MiB are free, and the database has %d MiB"
	free, size := sqlite.DiskSpace(r.cfg.Data)
	switch {
	case size == 0:
		r.warn(name, "check it yourself", "the free space is unknown on this system")
	case free < used || free < minFree:
		r.warn(name, "free some space: on a full disk only revoking and deleting work", text,
			free>>20, used>>20)
	default:
		r.ok(name, text, free>>20, used>>20)
	}
}
