package process

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// forgetProgram takes the pages of the program's file out of this process's memory: most were used
// by its start alone. One that is used again is found in the system's memory, or read again.
func forgetProgram() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	for start, end := range unchanged(string(maps), program) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, start, end-start, unix.MADV_DONTNEED)
	}
}

// unchanged returns where a file is mapped for reading alone, and every page is still the file's.
func unchanged(smaps, file string) map[uintptr]uintptr {
	found := map[uintptr]uintptr{}
	var start, end uintptr
	for line := range strings.Lines(smaps) {
		fields := strings.Fields(line)
		switch {
		case len(fields) < 3:
		case !strings.HasSuffix(fields[0], ":"): // a mapping begins
			start, end = 0, 0
			if len(fields) == 6 && fields[5] == file && !strings.Contains(fields[1], "w") {
				start, end = bounds(fields[0])
			}
		case fields[0] == "Anonymous:" && fields[1] == "0" && start < end:
			found[start] = end
		}
	}
	return found
}

// bounds returns the addresses of a mapping, twice 0 for what is none.
func bounds(text string) (start, end uintptr) {
	from, to, _ := strings.Cut(text, "-")
	first, err := strconv.ParseUint(from, 16, 64)
	last, bad := strconv.ParseUint(to, 16, 64)
	if err != nil || bad != nil {
		return 0, 0
	}
	return uintptr(first), uintptr(last)
}
