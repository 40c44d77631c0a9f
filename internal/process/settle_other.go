//go:build !linux

package process

func forgetProgram() {}
