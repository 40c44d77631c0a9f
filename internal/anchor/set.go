package anchor

import (
	"bytes"
	"slices"
	"sort"
)

// The lengths of entries, in bytes.
const (
	VersionEntry = 8  // of a secret, and of an old version of one
	KeyEntry     = 16 // of an API key; an id where the instance lists users
	LeaseEntry   = 24 // of a lease: 16, and the microsecond of its end in 8
)

// A Set is entries of one length, in strictly ascending order.
type Set struct {
	width   int
	entries []byte
}

// Len returns the number of entries.
func (s Set) Len() int {
	if s.width == 0 {
		return 0
	}
	return len(s.entries) / s.width
}

// at returns the entry of that index.
func (s Set) at(i int) []byte { return s.entries[i*s.width : (i+1)*s.width] }

// find returns where an entry is, or would be.
func (s Set) find(entry []byte) (i int, found bool) {
	i = sort.Search(s.Len(), func(i int) bool { return bytes.Compare(s.at(i), entry) >= 0 })
	return i, i < s.Len() && bytes.Equal(s.at(i), entry)
}

// Has reports whether the set has an entry.
func (s Set) Has(entry []byte) bool {
	_, found := s.find(entry)
	return found
}

// Add adds an entry. It returns false if the set has it already.
func (s *Set) Add(entry []byte) bool {
	i, found := s.find(entry)
	if found || s.width > 0 && len(entry) != s.width {
		return false
	}
	s.width = len(entry)
	s.entries = slices.Concat(s.entries[:i*s.width], entry, s.entries[i*s.width:])
	return true
}

// Remove removes an entry. It returns false if the set does not have it.
func (s *Set) Remove(entry []byte) bool {
	i, found := s.find(entry)
	if found {
		s.entries = slices.Concat(s.entries[:i*s.width], s.entries[(i+1)*s.width:])
	}
	return found
}

// Clear removes all entries.
func (s *Set) Clear() { s.entries = nil }

// All returns a copy of the entries.
func (s Set) All() [][]byte {
	all := make([][]byte, s.Len())
	for i := range all {
		all[i] = slices.Clone(s.at(i))
	}
	return all
}

// HasAll reports whether the set has every entry of another one.
func (s Set) HasAll(other Set) bool {
	for i := range other.Len() {
		if !s.Has(other.at(i)) {
			return false
		}
	}
	return true
}

// ordered reports whether the entries are in strictly ascending order.
func (s Set) ordered() bool {
	for i := 1; i < s.Len(); i++ {
		if bytes.Compare(s.at(i-1), s.at(i)) >= 0 {
			return false
		}
	}
	return true
}

// HasPrefix reports whether an entry begins with these bytes.
func (s Set) HasPrefix(prefix []byte) bool {
	i, _ := s.find(prefix)
	return i < s.Len() && bytes.HasPrefix(s.at(i), prefix)
}
