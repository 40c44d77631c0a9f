// Package store keeps the vault's data in a database: the schema and all queries, written once.
//
// What opens a database, its connections and its transactions are in a package for each database,
// which gives the queries a [Conn]. Placeholders are $1, $2, …; times are integer microseconds,
// flags 0 or 1, ids the text of a UUID.
package store

import "github.com/keysake/keysake/internal/vault"

// Queries has all queries, over one connection. It implements [vault.Tx] in the transaction that
// the connection is in.
type Queries struct {
	conn    Conn
	dialect Dialect
}

var _ vault.Tx = (*Queries)(nil)

// New returns the queries over a connection.
func New(c Conn, d Dialect) *Queries { return &Queries{c, d} }
