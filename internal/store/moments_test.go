package store_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/store"
)

func TestWhatIsToldOfAUserIsNoNewsOfTheInstanceOrOfAnother(t *testing.T) {
	t.Parallel()
	var m store.Moments
	ann := uuid.UUID{0: 1} // the nil id, but for one byte
	for suffix := range 1 << 16 {
		user := uuid.UUID{1: 1, 14: byte(suffix >> 8), 15: byte(suffix)}
		since := m.Moment()
		m.Tell([]uuid.UUID{user})
		if !m.Silent(uuid.Nil, since) {
			t.Fatalf("after news of %s, the instance is told to have some", user)
		}
		if suffix > 0 && !m.Silent(ann, since) {
			t.Fatalf("after news of %s, %s is told to have some", user, ann)
		}
		if m.Silent(user, since) || !m.Silent(user, m.Moment()) {
			t.Fatalf("the news of %s are not told, or for ever", user)
		}
	}
}

func TestWhatIsToldOfTheInstanceConcernsEveryone(t *testing.T) {
	t.Parallel()
	var m store.Moments
	ann, bea := uuid.New(), uuid.New()
	m.Tell([]uuid.UUID{ann, uuid.Nil, bea})
	for user, silent := range map[uuid.UUID][4]bool{
		ann:      {false, false, true, true},
		uuid.Nil: {false, false, true, true},
		bea:      {false, false, false, true},
	} {
		for since, want := range silent {
			if m.Silent(user, uint64(since)) != want {
				t.Errorf("%s is silent since %d: %t, want %t", user, since, !want, want)
			}
		}
	}
}
