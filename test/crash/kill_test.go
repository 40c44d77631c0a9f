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
	t.Parallel()
	const most = 10 // in one folder: the checks take longer the more there is
	random := newRandom(t)
	all, answered := rounds(t, 4), int64(0)
	for left := all; left > 0; left -= most {
		answered += killAgainAndAgain(t, random, min(left, most))
	}
	t.Logf("%d changes were answered in %d rounds", answered, all)
}

// killAgainAndAgain kills servers on one folder, and checks it after each. It returns how many
// changes were answered.
func killAgainAndAgain(t *testing.T, random *rand.Rand, times int) (answered int64) {
	t.Helper()
	data := newData(t)
	p := start(t, data)
	libraries := make([]*library, killUsers)
	for i := range libraries {
		libraries[i] = newLibrary(p, fmt.Sprintf("user-%d", i))
	}
	workers := newWorkers(libraries, killWorkers, random)
	for round := range times {
		settle(workers)
		l := startLoad(t, p, workers)
		l.reach(p, 1+random.Int64N(killMost))
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
	return answered
}

// A start makes files, a schema, a root key, a user and an API key: whatever is cut short there,
// the next start finishes.
func TestAServerThatIsKilledWhileItStartsStartsTheNextTime(t *testing.T) {
	t.Parallel()
	random := newRandom(t)
	for range rounds(t, 8) {
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
	}
}
