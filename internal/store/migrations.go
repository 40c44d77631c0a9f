package store

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

//go:embed migrations/*.sql
var migrations embed.FS

// A Migration makes the schema of a version from that of the version before. It is a file in the
// format of goose: 0001_first.sql and so on.
type Migration struct {
	Version    int64
	Statements []string
}

// Migrations returns the migrations in the order of their versions.
func Migrations() (all []Migration, err error) {
	const dir = "migrations"
	files, err := migrations.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := fs.ReadFile(migrations, dir+"/"+file.Name())
		if err != nil {
			return nil, err
		}
		m, err := parseMigration(file.Name(), string(text))
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", file.Name(), err)
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Migration) int { return cmp.Compare(a.Version, b.Version) })
	return all, nil
}

var (
	errNoUp      = errors.New("there is no line -- +goose Up")
	errDirective = errors.New("of goose's lines only -- +goose Up is understood")
	errNoEnd     = errors.New("the last statement does not end with a semicolon")
)

// parseMigration splits a file into statements. One ends with a semicolon at the end of a line.
func parseMigration(name, text string) (m Migration, err error) {
	number, _, _ := strings.Cut(name, "_")
	if m.Version, err = strconv.ParseInt(number, 10, 64); err != nil {
		return m, err
	}
	up := false
	var statement strings.Builder
	for line := range strings.Lines(text) {
		code, comment, _ := strings.Cut(line, "--")
		code = strings.TrimRight(code, " \t\n")
		if strings.HasPrefix(strings.TrimSpace(comment), "+goose") {
			if up || strings.TrimSpace(comment) != "+goose Up" {
				return m, errDirective
			}
			up = true
			continue
		}
		if code != "" && !up {
			return m, errNoUp
		}
		if code == "" && statement.Len() == 0 {
			continue // between statements
		}
		if !strings.HasSuffix(code, ";") {
			statement.WriteString(line)
			continue
		}
		statement.WriteString(code)
		m.Statements = append(m.Statements, statement.String())
		statement.Reset()
	}
	switch {
	case !up:
		return m, errNoUp
	case statement.Len() > 0:
		return m, errNoEnd
	}
	return m, nil
}

// SchemaVersion returns the version of the schema that this program knows.
func SchemaVersion() (newest int64, err error) {
	all, err := Migrations()
	if err == nil {
		newest = all[len(all)-1].Version // the compiler has found at least one
	}
	return newest, err
}
