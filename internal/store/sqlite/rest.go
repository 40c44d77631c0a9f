package sqlite

import "time"

// restInterval is after how long without work the process gives back what it keeps of the database.
// The system has it still: to read it again takes microseconds.
const restInterval = time.Second

// rest gives back what is kept if there was no work since the last time. SQLite has all pages of a
// process in one list, so what one connection gives back is that of all.
func (w *writer) rest() {
	work := w.updates.Load() + w.reads()
	if work == w.work {
		w.conn.db.Shrink()
	}
	w.work = work
}

// reads returns how many reads have begun.
func (p *pool) reads() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}
