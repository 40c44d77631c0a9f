package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// query is SQL text. A constant becomes one by itself, a computed text only by a conversion that a
// reader sees.
type query string

// A session is one connection with the statements that were prepared on it, used by one goroutine
// at a time. It has the queries, which run in the transaction that the session is in: the files of
// this package named after nouns.
//
// The queries are not cancelled half-way: they are short, and an interrupted statement would end a
// transaction that other callers share.
type session struct {
	conn    *sql.Conn
	dialect dialect
	stmts   map[query]*sql.Stmt
	remains remains // what was left in the files since the last sweep

	// lost is why the database may have ended the transaction by itself, as it does when the disk
	// is full. Nothing runs after that until the next begin: it would be a transaction of its own,
	// and stay.
	lost error
}

var (
	_ vault.Tx = (*session)(nil)
	_ Conn     = (*session)(nil)
)

func newSession(ctx context.Context, db *sql.DB, d dialect) (*session, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, d.classify(err)
	}
	return &session{conn: conn, dialect: d, stmts: map[query]*sql.Stmt{}}, nil
}

// close gives the connection back to the pool. A statement that stayed open would keep the database
// open, too.
func (s *session) close() error {
	var errs []error
	for _, stmt := range s.stmts {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, s.conn.Close())...)
}

// view runs fn on a snapshot.
func (s *session) view(ctx context.Context, fn func(vault.Reader) error) (err error) {
	if err := s.begin(ctx, s.dialect.beginRead); err != nil {
		return err
	}
	// Nothing was written, so there is nothing to keep; after a failed end the next begin says so.
	defer func() {
		if end := s.rollback(ctx); err == nil {
			err = end
		}
	}()
	return fn(s)
}

func (s *session) begin(ctx context.Context, q query) error {
	s.lost = nil
	return s.run(ctx, q)
}

// rollback ends the transaction, whatever state it is in.
func (s *session) rollback(ctx context.Context) error {
	s.lost = nil
	return s.run(ctx, "ROLLBACK")
}

// failed gives a driver's error its kind, and notes it if it may have ended the transaction.
func (s *session) failed(err error) error {
	err = s.dialect.classify(err)
	if vault.KindOf(err) == vault.Unavailable {
		s.lost = err
	}
	return err
}

// stmt returns the statement of a query, prepared at its first use.
func (s *session) stmt(ctx context.Context, q query) (*sql.Stmt, error) {
	if s.lost != nil {
		return nil, s.lost
	}
	if stmt, found := s.stmts[q]; found {
		return stmt, nil
	}
	stmt, err := s.conn.PrepareContext(ctx, string(q))
	if err != nil {
		return nil, s.failed(err)
	}
	s.stmts[q] = stmt
	return stmt, nil
}

// exec runs a statement and returns how many rows it changed.
func (s *session) exec(ctx context.Context, q query, args ...any) (int64, error) {
	ctx = context.WithoutCancel(ctx)
	stmt, err := s.stmt(ctx, q)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, s.failed(err)
	}
	n, err := result.RowsAffected()
	if n > 0 && replaces(q) {
		s.remains = max(s.remains, replaced)
	}
	return n, err
}

// run is exec for a statement whose count says nothing.
func (s *session) run(ctx context.Context, q query, args ...any) error {
	_, err := s.exec(ctx, q, args...)
	return err
}

// one is exec for a statement that must change a row: NotFound if it changed none.
func (s *session) one(ctx context.Context, q query, args ...any) error {
	n, err := s.exec(ctx, q, args...)
	if err == nil && n == 0 {
		return vault.ErrNotFound
	}
	return err
}

// each calls scan for every row of a query.
func (s *session) each(
	ctx context.Context,
	q query,
	scan func(scanner) error,
	args ...any,
) (err error) {
	ctx = context.WithoutCancel(ctx)
	stmt, err := s.stmt(ctx, q)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return s.failed(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return s.failed(err)
	}
	return nil
}

// row scans the one row of a query: NotFound if there is none.
func (s *session) row(ctx context.Context, q query, args, into []any) error {
	ctx = context.WithoutCancel(ctx)
	stmt, err := s.stmt(ctx, q)
	if err != nil {
		return err
	}
	err = stmt.QueryRowContext(ctx, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return vault.ErrNotFound
	}
	if err != nil {
		return s.failed(err)
	}
	return nil
}

// Query implements [Conn].
func (s *session) Query(
	ctx context.Context, sql string, each func(Row) error, args ...any,
) error {
	var r row
	return s.each(ctx, query(sql), func(from scanner) error {
		rows, _ := from.(interface{ Columns() ([]string, error) })
		if r.values == nil {
			columns, err := rows.Columns()
			if err != nil {
				return err
			}
			r.values, r.into = make([]any, len(columns)), make([]any, len(columns))
			for i := range r.into {
				r.into[i] = &r.values[i]
			}
		}
		if err := from.Scan(r.into...); err != nil {
			return err
		}
		return each(&r)
	}, args...)
}

// Exec implements [Conn].
func (s *session) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	return s.exec(ctx, query(sql), args...)
}

// Erase implements [Conn].
func (s *session) Erase(
	ctx context.Context, when Erasure, sql string, args ...any,
) (int64, error) {
	n, err := s.exec(ctx, query(sql), args...)
	if n > 0 {
		s.remains = max(s.remains, remains(when))
	}
	return n, err
}

// row holds the values of a row as the driver has them.
type row struct{ values, into []any }

func (r *row) IsNull(column int) bool { return r.values[column] == nil }

func (r *row) Int(column int) int64 {
	n, _ := r.values[column].(int64)
	return n
}

func (r *row) Text(column int) string {
	switch v := r.values[column].(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

func (r *row) Bytes(column int) []byte {
	switch v := r.values[column].(type) {
	case string:
		return []byte(v)
	case []byte:
		return v
	}
	return nil
}

// A scanner is a row.
type scanner interface{ Scan(into ...any) error }

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
