package doctor

import (
	"bytes"
	"iter"

	"github.com/google/uuid"
)

// A stream gives the rows of one user after another, from a sequence in the order of the users.
// What belongs to no user it counts as a finding.
type stream[T any] struct {
	next  func() (T, error, bool)
	stop  func()
	what  string
	owner func(T) uuid.UUID
	lost  *findings

	row  T
	err  error
	have bool
}

func newStream[T any](
	rows iter.Seq2[T, error],
	what string,
	lost *findings,
	owner func(T) uuid.UUID,
) *stream[T] {
	next, stop := iter.Pull2(rows)
	s := &stream[T]{next: next, stop: stop, what: what, owner: owner, lost: lost}
	s.advance()
	return s
}

func (s *stream[T]) advance() { s.row, s.err, s.have = s.next() }

// of returns the rows of a user. Whoever stops before the end can call it again for the rest.
func (s *stream[T]) of(user uuid.UUID) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for s.have {
			if s.err != nil {
				yield(s.row, s.err)
				return
			}
			owner := s.owner(s.row)
			switch bytes.Compare(owner[:], user[:]) {
			case 1:
				return
			case -1:
				s.orphan(owner)
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

// end takes what is left after the last user.
func (s *stream[T]) end() error {
	for ; s.have && s.err == nil; s.advance() {
		s.orphan(s.owner(s.row))
	}
	return s.err
}

func (s *stream[T]) orphan(owner uuid.UUID) {
	s.lost.add("there is a row (%s) of user %s, who is not there", s.what, owner)
}
