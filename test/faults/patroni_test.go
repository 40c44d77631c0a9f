package faults_test

import (
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
)

// What can happen to a leader, and how it comes back.
var leaderFaults = []struct {
	what     string
	do, undo func(t *testing.T, n *node)
}{
	{
		"killed",
		func(_ *testing.T, n *node) { n.kill() },
		func(t *testing.T, n *node) { t.Helper(); n.start(t) },
	},
	{
		"stopped",
		func(_ *testing.T, n *node) { n.signal(syscall.SIGSTOP) },
		func(_ *testing.T, n *node) { n.signal(syscall.SIGCONT) },
	},
	{
		"cut off",
		func(_ *testing.T, n *node) { n.cutOff(true) },
		func(_ *testing.T, n *node) { n.cutOff(false) },
	},
}

// A cluster elects another leader, and servers find it by themselves. What was answered is there:
// the new leader is the one that had it before.
func TestServersFollowTheLeaderOfACluster(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	url := c.url()
	servers := startServers(t, 2, url)
	load := newLoad(t, servers)
	faults := leaderFaults
	if _, long := os.LookupEnv(roundsVariable); !long {
		faults = faults[:1]
	}
	gaps := map[string][]time.Duration{}
	inRounds(t, 1, func(t *testing.T, _ int) {
		t.Helper()
		load.t, c.t = t, t
		for _, fault := range faults {
			c.whole()
			load.begin()
			load.reach(int64(20 + rand.IntN(100)))
			was := look(t, servers)
			leader, err := c.leader()
			apptest.Must(t, err)
			time.Sleep(rand.N(20 * time.Millisecond))
			load.measureGap()
			fault.do(t, leader)
			load.reach(100)
			gap := load.longestGap()
			fault.undo(t, leader)
			load.reach(100)
			load.end()
			if n := load.errors[late]; n > 0 {
				t.Errorf("%d requests hung: %s", n, load.summary())
			}
			was.checkServers(t, servers, url)
			load.check()
			checkDatabase(t, servers[0], url)
			gaps[fault.what] = append(gaps[fault.what], gap)
			t.Logf("the leader was %s: no change for %v; %s", fault.what, gap, load.summary())
		}
	})
	for _, fault := range faults {
		all := gaps[fault.what]
		slices.Sort(all)
		if len(all) > 0 {
			t.Logf("a leader that is %s: no change for %v to %v, in the middle %v", fault.what,
				all[0], all[len(all)-1], all[len(all)/2])
		}
	}
}
