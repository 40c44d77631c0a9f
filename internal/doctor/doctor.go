// Package doctor answers "could we recover?": of a [backup.Source], which is a database or a
// backup, it opens what is sealed and verifies what is chained.
//
// What it opens it shows nobody. It reads each row once, in order, and holds one user's keys at a
// time. It reads only what it is given.
package doctor

import (
	"fmt"
)

// A Status is how a check ended.
type Status string

// The statuses.
const (
	OK      Status = "ok"
	Warning Status = "warning" // it can be recovered, and something should be done
	Failed  Status = "failed"  // something is lost, or would be
)

// A Check is one question and its answer.
type Check struct {
	Name   string `json:"check"`
	Status Status `json:"status"`
	Text   string `json:"text"`
	// the first of what was found, never anything of a value
	Details []string `json:"details,omitempty"`
	Do      string   `json:"do,omitempty"` // what to do about it
}

// A Report is all checks, in the order in which they were made.
type Report struct {
	Checks []Check `json:"checks"`
}

// Count returns how many checks ended in that way.
func (r Report) Count(s Status) (n int) {
	for _, c := range r.Checks {
		if c.Status == s {
			n++
		}
	}
	return n
}

// maxDetails bounds what is told of one check.
const maxDetails = 10

// findings gather what is wrong.
type findings struct {
	wrong   int64
	details []string
}

func (f *findings) add(format string, args ...any) {
	if f.wrong++; len(f.details) < maxDetails {
		f.details = append(f.details, fmt.Sprintf(format, args...))
	}
}

// check makes a check of the findings: with none it is well.
func (f *findings) check(name, well, ill, do string) Check {
	if f.wrong == 0 {
		return Check{Name: name, Status: OK, Text: well}
	}
	return Check{
		Name:    name,
		Status:  Failed,
		Text:    fmt.Sprintf("%d %s", f.wrong, ill),
		Details: f.details,
		Do:      do,
	}
}
