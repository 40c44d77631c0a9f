package child

import (
	"fmt"
	"os"
)

// Start starts a command that goes on by itself, without input and output, and does not wait for
// it.
func Start(c Command) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("start a command: %w", err)
	}
	defer null.Close() //nolint:errcheck // nothing was written
	started, err := os.StartProcess(c.File, c.Args, &os.ProcAttr{
		Env: c.Env, Files: []*os.File{null, null, null},
	})
	if err != nil {
		return fmt.Errorf("start a command: %w", err)
	}
	go func() { _, _ = started.Wait() }()
	return nil
}
