package load

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/keysake/keysake/test/figures"
)

// ThisMachine describes the machine. What the system does not tell is empty.
func ThisMachine(ctx context.Context) figures.Machine {
	kernel, _ := exec.CommandContext(ctx, "uname", "-sr").Output()
	m := figures.Machine{
		OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU(), Go: runtime.Version(),
		Kernel: strings.TrimSpace(string(kernel)),
	}
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, found := strings.Cut(line, ":"); found &&
			strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	return m
}

// ThisCommit returns the commit of the folder that the program runs in, and whether something in it
// has changed since.
func ThisCommit(ctx context.Context) (commit string, changed bool) {
	head, err := exec.CommandContext(ctx, "git", "rev-parse", "HEAD").Output()
	if err != nil {
		return "", false
	}
	status, err := exec.CommandContext(ctx, "git", "status", "--porcelain").Output()
	return strings.TrimSpace(string(head)), err != nil || len(status) > 0
}
