package crash_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/keysake/keysake/plaintext"
)

// The size of the crowd that writes while the server is killed.
const (
	killUsers   = 6
	killWorkers = 4 // for each user
	killMost    = 2000
)

func TestEveryAnsweredChangeIsThereAfterTheServerIsKilled(t *testing.T) {
	inFolders(t, 4, 10, killAgainAndAgain)
}

// killAgainAndAgain kills servers on one folder while users write, and checks it after each.
func killAgainAndAgain(t *testing.T, random *rand.Rand, rounds int) {
	t.Helper()
	data, answered := newData(t), int64(0)
	p := start(t, data)
	libraries := make([]*library, killUsers)
	for i := range libraries {
		libraries[i] = newLibrary(p, fmt.Sprintf("user-%d", i))
	}
	workers := newWorkers(libraries, killWorkers, random)
	for round := range rounds {
		settle(workers)
		l := startLoad(t, p, workers)
		l.reach(p, 1+random.Int64N(1+random.Int64N(killMost))) // rather early than late
		// anywhere in the course of a commit
		time.Sleep(time.Duration(random.Int64N(int64(3 * time.Millisecond))))
		p.kill()
		l.all.Wait()
		answered += l.answered.Load()
		if round%2 == 1 { // at times no server has touched the folder before this looks at it
			checkFolder(t, data, libraries)
		}
		p = start(t, data)
		checkAPI(t, p, libraries)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	p.stop()
	checkFolder(t, data, libraries)
	t.Logf("%d changes were answered in %d rounds", answered, rounds)
}

// A start makes files, a schema, a root key, a user and an API key: whatever is cut short there,
// the next start finishes.
func TestAServerThatIsKilledWhileItStartsStartsTheNextTime(t *testing.T) {
	inFolders(t, 8, 1, func(t *testing.T, random *rand.Rand, _ int) {
		t.Helper()
		data := newData(t)
		for range 1 + random.IntN(3) {
			p := launch(t, data, nil)
			time.Sleep(time.Duration(random.Int64N(int64(60 * time.Millisecond))))
			p.kill()
		}
		p := start(t, data)
		l := newLibrary(p, "somebody")
		if err := l.create(
			t.Context(), p.client(l.key), "TOKEN", plaintext.FromString(text(random, 40)),
		); err != nil {
			t.Error(err)
		}
		p.kill()
		p = start(t, data)
		checkAPI(t, p, []*library{l})
		p.stop()
		checkFolder(t, data, []*library{l})
	})
}
