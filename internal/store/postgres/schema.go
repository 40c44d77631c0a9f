package postgres

import (
	"context"
	"strings"

	"github.com/keysake/keysake/internal/store"
)

// A SchemaError lists what another program has added to the tables, which would change what
// statements do or show.
type SchemaError struct{ Differences []string }

func (e *SchemaError) Error() string {
	return "its schema was changed by another program: " + strings.Join(e.Differences, "; ") +
		": restore a backup to another database"
}

// maxDifferences bounds what an error lists.
const maxDifferences = 10

// added finds what no migration makes: a trigger could undo what was answered, and a rule, a policy
// or a view show other rows than there are.
const added = `
WITH ours AS (
	SELECT c.oid, c.relname, c.relkind, c.relrowsecurity FROM pg_class c
	WHERE c.relnamespace = current_schema()::regnamespace AND c.relname <> '` + migrationsTable + `'
)
SELECT 'trigger ' || t.tgname || ' of ' || ours.relname FROM pg_trigger t
	JOIN ours ON ours.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL SELECT 'the checks of references of ' || ours.relname || ' are off' FROM pg_trigger t
	JOIN ours ON ours.oid = t.tgrelid WHERE t.tgisinternal AND t.tgenabled <> 'O'
UNION ALL SELECT 'rule ' || r.rulename || ' of ' || ours.relname FROM pg_rewrite r
	JOIN ours ON ours.oid = r.ev_class
UNION ALL SELECT 'policy ' || p.polname || ' of ' || ours.relname FROM pg_policy p
	JOIN ours ON ours.oid = p.polrelid
UNION ALL SELECT 'the security of rows of ' || relname || ' is on' FROM ours WHERE relrowsecurity
UNION ALL SELECT 'default of ' || ours.relname || '.' || a.attname FROM pg_attrdef d
	JOIN ours ON ours.oid = d.adrelid
	JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
UNION ALL SELECT 'table ' || ours.relname || ' inherits' FROM pg_inherits i
	JOIN ours ON ours.oid IN (i.inhrelid, i.inhparent)
UNION ALL SELECT relname || ' is no table' FROM ours
	WHERE relkind IN ('v', 'm', 'f', 'p')`

// CheckSchema returns a [*SchemaError] if another program has changed what the tables do.
func (d *DB) CheckSchema(ctx context.Context) error {
	var found []string
	err := d.with(ctx, reading(), func(c *conn) (bool, error) {
		found = nil
		err := c.Query(ctx, added+" ORDER BY 1", func(r store.Row) error {
			found = append(found, r.Text(0))
			return nil
		})
		return mayRetry(err), err
	})
	if err == nil && len(found) > 0 {
		err = &SchemaError{found[:min(len(found), maxDifferences)]}
	}
	return err
}
