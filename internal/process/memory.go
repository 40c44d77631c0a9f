package process

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

const (
	// gcPercent lets garbage grow to twice what is in use, which is little: a list of 50 secrets
	// takes a fifth less of the processor, for some 10 MB.
	gcPercent = 200
	// leastPercent is for a heap that is much larger than mostGarbage: below it, collecting would
	// take more of the processor than it is worth.
	leastPercent = 50
	// mostGarbage is how much garbage there may be beside what is in use.
	mostGarbage = 36 << 20
	// mostLeft is how much of what work has left behind stays once it is quiet.
	mostLeft = 8 << 20
	// quiet is how many bytes a process that does little allocates in a second.
	quiet = 1 << 20
	// outside is what the process needs beside Go's memory, above all the pages that SQLite keeps.
	outside = 96 << 20
)

// What has the memory limit of the container, in bytes.
const (
	cgroups2 = "/sys/fs/cgroup/memory.max"
	cgroups1 = "/sys/fs/cgroup/memory/memory.limit_in_bytes"
)

// SizeMemory sets how garbage is collected: more often when the process comes near the memory limit
// of its container, so that it is not killed. GOGC and GOMEMLIMIT in the environment count first.
func SizeMemory(env func(string) (string, bool)) {
	if _, set := env("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
		go boundGarbage()
	}
	if _, set := env("GOMEMLIMIT"); set {
		return
	}
	for _, file := range []string{cgroups2, cgroups1} {
		text, err := os.ReadFile(file)
		if limit, ok := softLimit(string(text)); err == nil && ok {
			debug.SetMemoryLimit(limit)
			return
		}
	}
}

// boundGarbage lets a large heap have less garbage for its size than a small one, as long as the
// process lives. Once there is time for it, what work has left behind is given back: otherwise that
// would wait for two minutes, or for more work.
func boundGarbage() {
	found := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/gc/heap/allocs:bytes"},
	}
	set, before := gcPercent, uint64(0)
	for range time.Tick(time.Second) {
		metrics.Read(found)
		live, all := found[0].Value.Uint64(), found[3].Value.Uint64()
		kept := found[1].Value.Uint64() + found[2].Value.Uint64()
		if want := percentFor(live); want != set {
			debug.SetGCPercent(want)
			set = want
		}
		if isLeft(kept, live, all-before) {
			debug.FreeOSMemory()
		}
		before = all
	}
}

// isLeft reports whether a heap keeps much more than what was in use when garbage was last
// collected, and little is added to it now.
func isLeft(kept, live, added uint64) bool { return added < quiet && kept > live+mostLeft }

// percentFor returns how much garbage a heap may have, in percent of what is in use. It changes in
// steps of 10: each change stops the program for a moment.
func percentFor(live uint64) int {
	percent := mostGarbage * 100 / max(live, 1) / 10 * 10
	return int(min(max(percent, leastPercent), gcPercent))
}

// softLimit returns what of a container's memory is Go's: all but what is outside, and half at
// least. The text of a container without a limit is "max", or a number that no machine has.
func softLimit(text string) (limit int64, ok bool) {
	all, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || all <= 0 || all >= 1<<50 {
		return 0, false
	}
	return max(all/2, all-outside), true
}
