package store

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the files that make the schema, one a version: 0001_first.sql and so on.
func Migrations() fs.FS {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the name is a constant and valid
	}
	return dir
}

// A Migration is the text of one of those files.
type Migration struct {
	Version int64
	SQL     string
}

// AllMigrations returns them in the order of their versions.
func AllMigrations() (all []Migration, err error) {
	files, err := fs.ReadDir(Migrations(), ".")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		number, _, _ := strings.Cut(file.Name(), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", file.Name(), err)
		}
		text, err := fs.ReadFile(Migrations(), file.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, Migration{version, string(text)})
	}
	slices.SortFunc(all, func(a, b Migration) int { return cmp.Compare(a.Version, b.Version) })
	return all, nil
}

// SchemaVersion returns the version of the schema that this program knows.
func SchemaVersion() (newest int64, err error) {
	all, err := AllMigrations()
	if err == nil {
		newest = all[len(all)-1].Version // the compiler has found at least one
	}
	return newest, err
}
