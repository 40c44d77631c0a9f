package figures

import (
	"encoding/json"
	"os"
	"time"
)

// Stages are where the processor time of requests goes.
type Stages struct {
	Version int       `json:"version"`
	At      time.Time `json:"at"`
	Commit  string    `json:"commit"`
	Changed bool      `json:"changed"`
	Machine Machine   `json:"machine"`
	Clients int       `json:"clients"`
	Names   []string  `json:"names"` // of the stages
	Works   []Staged  `json:"works"`
}

// A Staged is one kind of request.
type Staged struct {
	Work     string    `json:"work"`
	Requests int       `json:"requests"`
	Micros   []float64 `json:"micros"` // of each stage, a request
}

// Write writes stages to a file.
func (s *Stages) Write(path string) error {
	text, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}

// ReadStages reads what [Stages.Write] wrote.
func ReadStages(path string) (*Stages, error) { return read[Stages](path) }
