package cli

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestEscapeThatNothingFollowsMeansNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keyboard{typed: make(chan byte)}
		go func() {
			for _, b := range []byte("ab\x1b") {
				k.typed <- b
			}
			time.Sleep(2 * quiet)
			for _, b := range []byte("c\r") {
				k.typed <- b
			}
		}()
		if text, err := k.hidden(t.Context()); err != nil || string(text) != "abc" {
			t.Errorf("%q: %v", text, err)
		}
	})
}
