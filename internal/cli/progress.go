package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// How often progress is shown: as a bar on a terminal, and as lines.
const (
	barInterval  = 100 * time.Millisecond
	lineInterval = 5 * time.Second
	barWidth     = 30
)

// progress shows how far a long command is: as a bar on a terminal, as plain lines elsewhere, or as
// lines of JSON.
type progress struct {
	a        *app
	what     string // what is counted
	out      io.Writer
	bar      bool
	asJSON   bool
	began    time.Time
	shown    time.Time
	first    int // how much was done when it began
	last     state
	barShown bool
}

// A state is how far the command is, in the form of its JSON.
type state struct {
	Done        int     `json:"done"`
	Total       int     `json:"total"`
	PerSecond   float64 `json:"per_second"`
	SecondsLeft float64 `json:"seconds_left"`
}

// progressFlag adds --json to a command that shows progress.
func progressFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print a line of JSON for each step")
}

func (a *app) newProgress(what string, asJSON bool) *progress {
	p := &progress{a: a, what: what, out: a.stderr, asJSON: asJSON}
	if asJSON {
		p.out = a.stdout
	} else if f, ok := a.stderr.(*os.File); ok {
		p.bar = term.IsTerminal(int(f.Fd()))
	}
	return p
}

// update notes the state. It shows the first and the last, and those between at an interval.
func (p *progress) update(done, total int) {
	now := p.a.now()
	if p.began.IsZero() {
		p.began, p.first = now, done
	}
	interval := lineInterval
	if p.bar {
		interval = barInterval
	}
	p.last = p.state(now, done, total)
	if total == 0 || done > 0 && done < total && now.Sub(p.shown) < interval {
		return
	}
	p.shown = now
	p.show()
}

func (p *progress) state(now time.Time, done, total int) state {
	s := state{Done: done, Total: total}
	if took := now.Sub(p.began).Seconds(); took > 0 {
		s.PerSecond = float64(done-p.first) / took
	}
	if s.PerSecond > 0 {
		s.SecondsLeft = float64(total-done) / s.PerSecond
	}
	return s
}

// show writes the last state. It ignores errors: they must not stop the work.
func (p *progress) show() {
	if p.asJSON {
		_ = json.NewEncoder(p.out).Encode(p.last)
		return
	}
	text := fmt.Sprintf("%d/%d %s, %.0f a second, %s left",
		p.last.Done, p.last.Total, p.what, p.last.PerSecond, remaining(p.last.SecondsLeft))
	if !p.bar {
		_, _ = fmt.Fprintln(p.out, text)
		return
	}
	full := barWidth * p.last.Done / max(1, p.last.Total)
	bar := strings.Repeat("#", full) + strings.Repeat("-", barWidth-full)
	p.barShown = true
	_, _ = fmt.Fprintf(p.out, "\r[%s] %s\x1b[K", bar, text)
}

// finish moves the terminal past the bar.
func (p *progress) finish() {
	if p.barShown {
		_, _ = fmt.Fprintln(p.out)
	}
}

func remaining(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(time.Second).String()
}
