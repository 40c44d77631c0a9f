package load

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// A Usage is what a process has used. What the system does not tell is 0.
type Usage struct {
	User      time.Duration // processor time in its own code
	System    time.Duration // processor time in the kernel
	Mallocs   float64       // allocations, if it has metrics
	Allocated float64       // bytes of them
}

// Minus returns what was used since an earlier moment.
func (u Usage) Minus(before Usage) Usage {
	return Usage{
		u.User - before.User, u.System - before.System,
		u.Mallocs - before.Mallocs, u.Allocated - before.Allocated,
	}
}

// clockTick is Linux's unit of processor time for programs.
const clockTick = 10 * time.Millisecond

// usageOf returns the processor time of a process: "self" for this one.
func usageOf(process string) (u Usage) {
	stat, err := os.ReadFile("/proc/" + process + "/stat")
	if err != nil {
		return u
	}
	// the name before it may hold anything
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return u
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	u.User, u.System = time.Duration(user)*clockTick, time.Duration(system)*clockTick
	return u
}

// Own returns what this process has used.
func Own() Usage { return usageOf("self") }

// Busy returns the processor time that the process used so far, 0 where the system does not tell.
func (p *Process) Busy() time.Duration { return BusyOf(p.cmd.Process.Pid) }

// BusyOf returns the processor time that any process used so far, 0 where the system does not tell.
func BusyOf(pid int) time.Duration {
	u := usageOf(strconv.Itoa(pid))
	return u.User + u.System
}

// Measure calls do, and returns what the process used in that time. Asking for its metrics is not
// counted.
func (p *Process) Measure(ctx context.Context, do func() error) (used Usage, err error) {
	first, err := p.metrics(ctx)
	if err != nil {
		return used, err
	}
	before, err := p.metrics(ctx)
	if err != nil {
		return used, err
	}
	pid := strconv.Itoa(p.cmd.Process.Pid)
	processor := usageOf(pid)
	if err := do(); err != nil {
		return used, err
	}
	processor = usageOf(pid).Minus(processor)
	used, err = p.metrics(ctx)
	used = used.Minus(before).Minus(before.Minus(first))
	used.User, used.System = processor.User, processor.System
	return used, err
}

// metrics returns what the metrics say of allocations, nothing where there are none.
func (p *Process) metrics(ctx context.Context) (Usage, error) {
	seen, err := p.Seen(ctx)
	return Usage{
		Mallocs:   seen["go_memstats_mallocs_total"],
		Allocated: seen["go_memstats_alloc_bytes_total"],
	}, err
}

// Seen returns those of the process's metrics that have no labels, none where it has no metrics.
func (p *Process) Seen(ctx context.Context) (map[string]float64, error) {
	if p.Metrics == "" {
		return nil, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Metrics, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the metrics: %s", res.Status)
	}
	return parseMetrics(res.Body)
}

func parseMetrics(r io.Reader) (map[string]float64, error) {
	seen := map[string]float64{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if strings.HasPrefix(name, "#") || strings.Contains(name, "{") {
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, err
		}
		seen[name] = number
	}
	return seen, lines.Err()
}
