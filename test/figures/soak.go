package figures

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// A Soak is a run of mixed work at a constant rate.
type Soak struct {
	Version  int       `json:"version"`
	At       time.Time `json:"at"`
	Commit   string    `json:"commit"`
	Changed  bool      `json:"changed"`
	Machine  Machine   `json:"machine"`
	Seconds  float64   `json:"seconds"` // after the warm-up
	WarmUp   float64   `json:"warm_up_seconds"`
	Users    int       `json:"users"`
	Secrets  int       `json:"secrets"` // constant
	Peak     float64   `json:"peak_per_second"`
	Rate     float64   `json:"rate_per_second"`
	Requests uint64    `json:"requests"`
	Errors   []string  `json:"errors"` // the first of them
	Failed   uint64    `json:"failed"`
	// Works are the kinds of request, in the order of the columns below.
	Works   []string `json:"works"`
	Parts   []Part   `json:"parts"`   // sixths of the time
	Windows []Window `json:"windows"` // with those of the warm-up
	Trends  []Trend  `json:"trends"`
}

// A Part is a longer window, of which the last is compared with the first.
type Part struct {
	Requests uint64    `json:"requests"`
	P50      []float64 `json:"p50_us"` // of each work
	P99      []float64 `json:"p99_us"`
}

// A Window is what was seen in a few seconds.
type Window struct {
	Second   float64   `json:"second"` // at its end; not positive during the warm-up
	Requests uint64    `json:"requests"`
	P50      []float64 `json:"p50_us"` // of each work; 0 if there was none
	P99      []float64 `json:"p99_us"`
	// Seen are the resources at the end of the window, in the order of Resources.
	Seen []float64 `json:"seen"`
}

// The resources of the server, in the order in which a window has them.
const (
	Resident = iota // bytes of memory
	Heap            // bytes at which the next collection begins, which follow what is alive
	Goroutines
	Descriptors
	Journal   // bytes
	Database  // bytes
	Processor // microseconds of the server for a request in the window
	ResourceCount
)

// Resources are the names of what a window has seen.
var Resources = [ResourceCount]string{
	"resident memory", "heap", "goroutines", "descriptors", "journal", "database",
	"processor time a request",
}

// A Trend is how a resource changed after the warm-up, by the line of least squares.
type Trend struct {
	What    string  `json:"what"`
	Mean    float64 `json:"mean"`
	PerHour float64 `json:"per_hour"`
	Change  float64 `json:"change"` // over the whole time, as a part of the mean
	Verdict string  `json:"verdict"`
}

// What is found of a trend.
const (
	Flat    = "flat"
	Grows   = "grows"
	ByRight = "grows by right" // the audit log and the list of leases do
	Open    = "is not judged"  // it follows the machine
)

// Unit returns in which unit people read a resource, and by what its figures are divided for that.
func (t Trend) Unit() (unit string, divisor float64) {
	switch t.What {
	case Resources[Goroutines], Resources[Descriptors]:
		return "", 1
	case Resources[Processor]:
		return " µs", 1
	}
	return " MB", 1e6
}

// Write writes a soak to a file, on one line: there are many windows.
func (s *Soak) Write(path string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}

// ReadSoak reads what [Soak.Write] wrote.
func ReadSoak(path string) (*Soak, error) {
	s, err := read[Soak](path)
	if err == nil && len(s.Windows) == 0 {
		err = fmt.Errorf("%s is no soak", path)
	}
	return s, err
}
