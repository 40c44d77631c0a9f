//go:build !linux

// Package memfile puts a value into a file that is kept in memory and on no disk.
package memfile

import (
	"errors"

	"github.com/keysake/keysake/plaintext"
)

var errLinux = errors.New("--file: this system has no files in memory that Keysake knows: " +
	"it works on Linux")

// A File is a file in memory.
type File struct{ Path string }

// Remove removes the file.
func (File) Remove() error { return nil }

// Named makes a file at path.
func Named(string, plaintext.Value) (File, error) { return File{}, errLinux }

// CheckFolder checks that path is in a folder of a file system in memory.
func CheckFolder(string) error { return errLinux }

// Nameless makes a file without a name.
func Nameless(plaintext.Value) (File, error) { return File{}, errLinux }
