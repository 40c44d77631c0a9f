package postgres

import (
	"slices"
	"time"
)

// A mode is how statements run: in which transaction, and how long each may take.
type mode struct {
	begin   []string // statements that begin the transaction; none for reads without one
	timeout time.Duration
	once    bool // a write that fails ends it, and fn does not run again to get the error
}

// answerTimeout bounds how long a statement may take, with the network to the database. PostgreSQL
// itself ends it before that (see [Options]).
const answerTimeout = statementTimeout + 2*time.Second

// lateness is how long what began in the caller's time may go on after it.
const lateness = 2 * time.Second

// longTimeout is the same for the statements of a backup or a restore.
const longTimeout = 10 * time.Minute

func reading() mode { return mode{timeout: answerTimeout} }

// updating is for an update, whatever the database's own defaults are. It locks the ledger that it
// changes before it reads anything else of that library, so each statement may see what was
// committed before it: a snapshot would make the second of two waiting updates fail.
func updating() mode {
	return mode{
		begin:   []string{"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"},
		timeout: answerTimeout,
	}
}

func viewing() mode {
	return mode{
		begin:   []string{"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"},
		timeout: answerTimeout,
	}
}

// limited is for a pooler, which gives the session to others after each transaction: what limits a
// statement is set in the transaction.
func (m mode) limited(limits string) mode {
	if len(m.begin) > 0 {
		m.begin = slices.Insert(slices.Clone(m.begin), 1, limits)
	}
	return m
}

// long is for all rows, between which the other side may wait for its disk.
func (m mode) long() mode {
	m.begin = append(m.begin, "SET LOCAL statement_timeout = 0",
		"SET LOCAL idle_in_transaction_session_timeout = 0")
	m.timeout, m.once = longTimeout, true
	return m
}
