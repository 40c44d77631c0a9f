package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

type query string

// A scanner is a row.
type scanner interface{ Scan(into ...any) error }

func (s *Queries) exec(ctx context.Context, q query, args ...any) (int64, error) {
	if replaces(q) {
		return s.conn.Erase(ctx, EraseSoon, string(q), args...)
	}
	return s.conn.Exec(ctx, string(q), args...)
}

func replaces(q query) bool {
	verb, rest, _ := strings.Cut(string(q), " ")
	table, _, _ := strings.Cut(strings.TrimPrefix(rest, "FROM "), " ")
	return (verb == "DELETE" || verb == "UPDATE") &&
		(table == "secrets" || table == "secret_versions" || table == "owner_keys")
}

func (s *Queries) destroy(ctx context.Context, q query, args ...any) error {
	_, err := s.conn.Erase(ctx, EraseNow, string(q), args...)
	return err
}

// run is exec for a statement whose count says nothing.
func (s *Queries) run(ctx context.Context, q query, args ...any) error {
	_, err := s.exec(ctx, q, args...)
	return err
}

// one is exec for a statement that must change a row: NotFound if it changed none.
func (s *Queries) one(ctx context.Context, q query, args ...any) error {
	n, err := s.exec(ctx, q, args...)
	if err == nil && n == 0 {
		return vault.ErrNotFound
	}
	return err
}

// each calls scan for every row of a query.
func (s *Queries) each(
	ctx context.Context, q query, scan func(scanner) error, args ...any,
) (err error) {
	return s.conn.Query(ctx, string(q), func(r Row) error {
		return scan(r.(scanner)) //nolint:forcetypeassert // every row here is one
	}, args...)
}

// row scans the one row of a query: NotFound if there is none.
func (s *Queries) row(ctx context.Context, q query, args, into []any) error {
	found := false
	err := s.each(ctx, q, func(r scanner) error {
		found = true
		return r.Scan(into...)
	}, args...)
	if err == nil && !found {
		return vault.ErrNotFound
	}
	return err
}

// micros keeps the zero time as NULL.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// A moment scans what micros kept.
type moment struct{ t *time.Time }

// Scan implements [sql.Scanner].
func (m moment) Scan(from any) error {
	var us sql.NullInt64
	if err := us.Scan(from); err != nil {
		return err
	}
	*m.t = time.Time{}
	if us.Valid {
		*m.t = time.UnixMicro(us.Int64).UTC()
	}
	return nil
}

// idText keeps the nil UUID as an empty text, which is how uuid.UUID scans it back.
func idText(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}
