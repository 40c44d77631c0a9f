package doctor

import (
	"bytes"
	"iter"

	"github.com/google/uuid"
)

// A stream gives the rows of one owner after another, from a sequence in the order of the owners.
// Rows that are damaged, and those without an owner, are findings.
type stream[T any] struct {
	e     *examination
	next  func() (T, error, bool)
	stop  func()
	what  string
	owner func(T) uuid.UUID

	row  T
	err  error
	have bool
}

func newStream[T any](
	e *examination, rows iter.Seq2[T, error], what string, owner func(T) uuid.UUID,
) *stream[T] {
	s := &stream[T]{e: e, what: what, owner: owner}
	s.next, s.stop = iter.Pull2(rows)
	s.advance()
	return s
}

// advance reads the next row that is not damaged.
func (s *stream[T]) advance() {
	s.row, s.err, s.have = s.next()
	for s.have && s.err != nil && s.e.damaged(s.err) {
		s.row, s.err, s.have = s.next()
	}
}

// of returns the rows of an owner. After an early end, it returns the rest.
func (s *stream[T]) of(owner uuid.UUID) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for s.have {
			if s.err != nil {
				yield(s.row, s.err)
				return
			}
			found := s.owner(s.row)
			switch bytes.Compare(found[:], owner[:]) {
			case 1:
				return
			case -1:
				s.orphan(found)
				s.advance()
			default:
				row := s.row
				s.advance()
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

// skip reads past the rows of an owner.
func (s *stream[T]) skip(owner uuid.UUID) error {
	for _, err := range s.of(owner) {
		if err != nil {
			return err
		}
	}
	return nil
}

// drain reads what is left after the last owner.
func (s *stream[T]) drain() error {
	for ; s.have && s.err == nil; s.advance() {
		s.orphan(s.owner(s.row))
	}
	return s.err
}

func (s *stream[T]) orphan(owner uuid.UUID) {
	s.e.ledgers.add("a row (%s) belongs to %s, which does not exist", s.what, owner)
}
