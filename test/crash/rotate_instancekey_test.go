package crash_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keysake/keysake/wire"
)

// Every request reads what the instance key signed, and so meets the rotation. No answer may be
// anything but a success.
func TestNothingIsLostWhenRotationsOfTheInstanceKeyAreKilled(t *testing.T) {
	eachRound(t, rounds(t, 2), func(p *rotationPlace, round int) {
		p.whileUsed(2*round, func() {
			for range 3 { // each goes on with the one before
				p.rotate(time.Duration(1+rand.IntN(300))*time.Millisecond, "instance-key", "rotate")
			}
		})
		if round%2 == 1 { // a server starts in the middle of a rotation, too
			p.kill()
			p.serve()
		}
		p.whileUsed(2*round+1, func() {
			p.rotate(0, "instance-key", "rotate")
		})
		p.assertListed()
		p.assertOneInstanceKey()
	})
}

// whileUsed runs do while users write, and an admin lists users and creates new ones.
func (p *rotationPlace) whileUsed(round int, do func()) {
	p.t.Helper()
	var stop atomic.Bool
	var all sync.WaitGroup
	p.load(p.t.Context(), round, &stop, &all)
	admin := p.client("dev")
	all.Go(func() {
		for i := 0; !stop.Load(); i++ {
			name := fmt.Sprintf("made-%d-%d", round, i)
			_, err := admin.CreateUser(p.t.Context(), wire.CreateUser{Username: name})
			if err != nil {
				p.t.Errorf("create a user during a rotation: %v", err)
				return
			}
			p.made++
			list, err := admin.ListUsers(p.t.Context())
			if err != nil || len(list.Broken) > 0 {
				p.t.Errorf("users during a rotation: %v; %v are broken", err, list.Broken)
				return
			}
		}
	})
	do()
	stop.Store(true)
	all.Wait()
}

// assertOneInstanceKey checks that the keys file names one instance key.
func (p *rotationPlace) assertOneInstanceKey() {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.data, "keysake.keys"))
	if err != nil {
		p.t.Fatal(err)
	}
	if n := strings.Count("\n"+string(text), "\ninstance-key "); n != 1 {
		p.t.Errorf("%d instance keys are named after a rotation", n)
	}
}
