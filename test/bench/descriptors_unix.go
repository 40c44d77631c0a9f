//go:build unix

package main

import "syscall"

// raiseDescriptors lets this process, and those that it starts, open so many files, or as many as
// the system allows. It returns how many.
func raiseDescriptors(to uint64) uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return to
	}
	raised := syscall.Rlimit{Cur: max(limit.Cur, to), Max: max(limit.Max, to)}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised) == nil {
		return raised.Cur
	}
	raised = syscall.Rlimit{Cur: limit.Max, Max: limit.Max}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised) == nil {
		return raised.Cur
	}
	return limit.Cur
}
