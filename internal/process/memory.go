package process

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

const (
	// gcPercent lets garbage grow to twice what is in use, which is little: a list of 50 secrets
	// takes a fifth less of the processor, for some 10 MB.
	gcPercent = 200
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

// softLimit returns what of a container's memory is Go's: all but what is outside, and half at
// least. The text of a container without a limit is "max", or a number that no machine has.
func softLimit(text string) (limit int64, ok bool) {
	all, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || all <= 0 || all >= 1<<50 {
		return 0, false
	}
	return max(all/2, all-outside), true
}
