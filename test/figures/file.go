package figures

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// Write writes a run to a file.
func (r *Run) Write(path string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}

// Read reads what [Run.Write] wrote.
func Read(path string) (*Run, error) { return read[Run](path) }

// read reads a file of figures of this version.
func read[T any](path string) (*T, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	figures := new(T)
	var of struct {
		Version int `json:"version"`
	}
	if err := errors.Join(json.Unmarshal(text, &of), json.Unmarshal(text, figures)); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if of.Version != Version {
		return nil, fmt.Errorf("%s has version %d instead of %d", path, of.Version, Version)
	}
	return figures, nil
}
