package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// How often progress is shown: on a terminal, and in lines.
const (
	barEvery  = 100 * time.Millisecond
	lineEvery = 5 * time.Second
	barWidth  = 30
)

// progress shows how far something is that takes time: a bar on a terminal, plain lines elsewhere,
// lines of JSON where they are asked for.
type progress struct {
	a        *app
	what     string // what is counted
	out      io.Writer
	bar      bool
	asJSON   bool
	began    time.Time
	shown    time.Time
	started  int // how much was done when it began
	last     step
	barShown bool
}

// A step is how far it is.
type step struct {
	Done       int     `json:"done"`
	Total      int     `json:"total"`
	PerSecond  float64 `json:"per_second"`
	SecondsEnd float64 `json:"seconds_left"`
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

// tell shows the state, if the last one was shown some time ago or it is the first or the last.
func (p *progress) tell(done, total int) {
	now := p.a.now()
	if p.began.IsZero() {
		p.began, p.started = now, done
	}
	every := lineEvery
	if p.bar {
		every = barEvery
	}
	p.last = p.at(now, done, total)
	if total == 0 || done > 0 && done < total && now.Sub(p.shown) < every {
		return
	}
	p.shown = now
	p.show()
}

func (p *progress) at(now time.Time, done, total int) step {
	s := step{Done: done, Total: total}
	if took := now.Sub(p.began).Seconds(); took > 0 {
		s.PerSecond = float64(done-p.started) / took
	}
	if s.PerSecond > 0 {
		s.SecondsEnd = float64(total-done) / s.PerSecond
	}
	return s
}

// show writes the state. Nobody is left to tell that this does not work: what is worked on goes on.
func (p *progress) show() {
	if p.asJSON {
		_ = json.NewEncoder(p.out).Encode(p.last)
		return
	}
	text := fmt.Sprintf(
		"%d/%d %s, %.0f a second, %s left",
		p.last.Done,
		p.last.Total,
		p.what,
		p.last.PerSecond,
		left(p.last.SecondsEnd),
	)
	if !p.bar {
		_, _ = fmt.Fprintln(p.out, text)
		return
	}
	full := barWidth * p.last.Done / max(1, p.last.Total)
	p.barShown = true
	_, _ = fmt.Fprintf(
		p.out,
		"\r[%s%s] %s\x1b[K",
		strings.Repeat("#", full),
		strings.Repeat("-", barWidth-full),
		text,
	)
}

// end leaves the terminal at the beginning of a line.
func (p *progress) end() {
	if p.barShown {
		_, _ = fmt.Fprintln(p.out)
	}
}

func left(seconds float64) string {
	return (time.Duration(seconds*float64(time.Second)) + time.Second/2).Truncate(time.Second).
		String()
}
