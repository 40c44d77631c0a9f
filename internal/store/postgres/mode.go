package postgres

import "time"

// A mode is how statements run: in which transaction, and how long each may take.
type mode struct {
	begin   []string // statements that begin the transaction; none for reads without one
	timeout time.Duration
}

// answerTimeout bounds how long a statement may take, with the network to the database. PostgreSQL
// itself ends it before that (see [Options]).
const answerTimeout = statementTimeout + 2*time.Second

// longTimeout is the same for the statements of a backup or a restore.
const longTimeout = 10 * time.Minute

func reading() mode { return mode{timeout: answerTimeout} }

// updating is for an update, whatever the database's own defaults are. It locks the ledger that it
// changes before it reads anything else of that library, so each statement may see what was
// committed before it: a snapshot would make the second of two waiting updates fail.
func updating() mode {
	return mode{[]string{"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"}, answerTimeout}
}

func viewing() mode {
	return mode{[]string{"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}, answerTimeout}
}

// long is for all rows, between which the other side may wait for its disk.
func (m mode) long() mode {
	return mode{append(m.begin, "SET LOCAL statement_timeout = 0",
		"SET LOCAL idle_in_transaction_session_timeout = 0"), longTimeout}
}
