package crash_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/wire"
)

// Every request reads what the instance key signed, and so meets the rotation. No answer may be
// anything but a success.
func TestNothingIsLostWhenRotationsOfTheInstanceKeyAreKilled(t *testing.T) {
	inRotationPlaces(t, 2, func(p *rotationPlace, round int, _ bool) {
		p.whileUsed(2*round, func() {
			for range 3 { // each goes on with the one before
				p.killRotation(300*time.Millisecond, "instance-key", "rotate")
			}
		})
		if round%2 == 1 { // a server starts in the middle of a rotation, too
			p.restart()
		}
		p.whileUsed(2*round+1, func() { p.rotate("instance-key", "rotate") })
		p.checkOneInstanceKey()
	})
}

// mostMade is how many users are created during one rotation: the next one signs them all.
const mostMade = 20

// whileUsed runs do while users write, and an admin lists users and creates new ones.
func (p *rotationPlace) whileUsed(time int, do func()) {
	p.t.Helper()
	work := startLoad(p.t, p.process, p.workers)
	admin, made := p.client(p.devKey()), 0
	work.repeat(func() error {
		if made < mostMade {
			in := wire.CreateUser{Username: fmt.Sprintf("made-%d-%d", time, made)}
			if _, err := admin.CreateUser(p.t.Context(), in); err != nil {
				return err
			}
			made++
		}
		list, err := admin.ListUsers(p.t.Context())
		if len(list.Broken) > 0 {
			p.t.Errorf("users during a rotation: %v are broken", list.Broken)
		}
		return err
	})
	do()
	work.end()
	p.users += made
}

// checkOneInstanceKey checks that the keys file names one instance key.
func (p *rotationPlace) checkOneInstanceKey() {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.data, "keysake.keys"))
	if err != nil {
		p.t.Fatal(err)
	}
	if n := strings.Count("\n"+string(text), "\ninstance-key "); n != 1 {
		p.t.Errorf("%d instance keys are named after a rotation", n)
	}
}
