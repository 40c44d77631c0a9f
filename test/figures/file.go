package figures

import (
	"encoding/json"
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
func Read(path string) (*Run, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r Run
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if r.Version != Version {
		return nil, fmt.Errorf("%s has version %d instead of %d", path, r.Version, Version)
	}
	return &r, nil
}
