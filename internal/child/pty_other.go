//go:build unix && !linux

package child

import "errors"

func (s *streams) openTerminal(Filter) error {
	return errors.New("output on a terminal can be masked on Linux only: leave out --mask")
}
