//go:build !linux

package process

func notDumpable() error { return nil }
