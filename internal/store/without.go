package store

import (
	"context"
	"iter"
	"slices"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/backup"
)

// ownerColumns are the columns that say whose a row is, by table. The others have none.
var ownerColumns = map[string]string{
	"users": "id", "owner_keys": "user_id", "api_keys": "user_id", "api_key_uses": "key_id",
	"secrets": "user_id", "secret_versions": "user_id", "leases": "user_id",
	"secret_uses": "user_id", "usage_days": "user_id", "secret_health": "user_id",
	"broker_uses": "user_id", "broker_requests": "user_id", "audit_entries": "owner_id",
	"done_requests": "user_id", "webhook_events": "user_id", "secret_notices": "user_id",
}

// Without returns a source without the rows of some users.
func Without(
	ctx context.Context, src backup.Source, users []uuid.UUID,
) (backup.Source, error) {
	if len(users) == 0 {
		return src, nil
	}
	f := &filtered{Source: src, gone: map[string]bool{}, column: map[string]int{}}
	for _, user := range users {
		f.gone[user.String()] = true
	}
	tables, err := src.Tables(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		f.column[t.Name] = slices.IndexFunc(t.Columns, func(c backup.Column) bool {
			return c.Name == ownerColumns[t.Name]
		})
	}
	for k, err := range APIKeys(ctx, src) { // their last uses have the id of the key alone
		switch {
		case err != nil && !isDamage(err):
			return nil, err
		case err == nil && slices.Contains(users, k.User):
			f.gone[k.ID.String()] = true
		}
	}
	f.tables = slices.Clone(tables)
	for i, t := range tables {
		f.tables[i].Rows = 0
		for _, err := range f.Rows(ctx, t.Name) {
			if err != nil {
				return nil, err
			}
			f.tables[i].Rows++
		}
	}
	return f, nil
}

// filtered is a source without the rows of which one column has an id that is gone.
type filtered struct {
	backup.Source

	tables []backup.Table
	column map[string]int // by table; -1 for none
	gone   map[string]bool
}

// Tables implements [backup.Source].
func (f *filtered) Tables(context.Context) ([]backup.Table, error) {
	return slices.Clone(f.tables), nil
}

// Rows implements [backup.Source].
func (f *filtered) Rows(ctx context.Context, table string) iter.Seq2[backup.Row, error] {
	column, found := f.column[table]
	if !found || column < 0 {
		return f.Source.Rows(ctx, table)
	}
	return func(yield func(backup.Row, error) bool) {
		for row, err := range f.Source.Rows(ctx, table) {
			if err == nil {
				if id, ok := row[column].(string); ok && f.gone[id] {
					continue
				}
			}
			if !yield(row, err) {
				return
			}
		}
	}
}
