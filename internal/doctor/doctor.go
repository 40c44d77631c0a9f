// Package doctor answers "could we recover?" for a [backup.Source], which is a database or a
// backup: it opens what is sealed and verifies the audit chains.
//
// It shows nothing of what it opens. It reads each row once, in order, and holds the keys of one
// user at a time. It reads only what it is given.
package doctor

import "fmt"

// A Status says how a check ended.
type Status string

// The statuses.
const (
	OK      Status = "ok"
	Warning Status = "warning" // it can be recovered, but something should be done
	Failed  Status = "failed"  // something is lost, or would be
)

// A Check is one question and its answer.
type Check struct {
	Name   string `json:"check"`
	Status Status `json:"status"`
	Text   string `json:"text"`
	// Details are the first findings, without anything of a value.
	Details []string `json:"details,omitempty"`
	Advice  string   `json:"advice,omitempty"`
}

// A Report is all checks, in the order in which they were made.
type Report struct {
	Checks []Check `json:"checks"`
}

// Count returns how many checks ended with a status.
func (r Report) Count(s Status) (n int) {
	for _, c := range r.Checks {
		if c.Status == s {
			n++
		}
	}
	return n
}

// maxDetails limits the details of one check.
const maxDetails = 10

// findings collect what is wrong.
type findings struct {
	wrong   int64
	details []string
}

func (f *findings) add(format string, args ...any) {
	if f.wrong++; len(f.details) < maxDetails {
		f.details = append(f.details, fmt.Sprintf(format, args...))
	}
}

// check turns the findings into a check, which is OK if there are none.
func (f *findings) check(name, okText, failText, advice string) Check {
	if f.wrong == 0 {
		return Check{Name: name, Status: OK, Text: okText}
	}
	return Check{
		Name:    name,
		Status:  Failed,
		Text:    fmt.Sprintf("%d %s", f.wrong, failText),
		Details: f.details,
		Advice:  advice,
	}
}
