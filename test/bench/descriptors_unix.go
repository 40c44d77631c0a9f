//go:build unix

package main

import "syscall"

// raiseDescriptors lets this process, and those that it starts, open so many files.
func raiseDescriptors(to uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur, limit.Max = max(limit.Cur, to), max(limit.Max, to)
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}
