// Package keysfile reads and writes the file that names the keys of a data folder: which root keys
// may be opened, and which instance keys are believed. It holds no key.
//
// A line is "root-key URL" or "instance-key ID". Of each kind the first wraps or signs, and the
// others only open or verify. A line that begins with # is a comment.
package keysfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/internal/rootkey"
)

const (
	rootKeyWord     = "root-key"
	instanceKeyWord = "instance-key"

	maxSize = 64 << 10
)

// header begins a new file.
const header = `# The keys of a Keysake database. No key is believed that is not named here.
# The first root key wraps keys and the first instance key signs. The others only open and verify.`

// A File is the content of a keys file.
type File struct {
	RootKeys     []string // URLs
	InstanceKeys []uuid.UUID

	comments []string
}

// Read reads a file. fs.ErrNotExist: there is none. [privatefile.ErrMode]: other users can read or
// change it.
func Read(path string) (File, error) {
	text, err := read(path)
	if err != nil {
		return File{}, fmt.Errorf("keys file: %w", err)
	}
	f, err := parse(text)
	if err != nil {
		return File{}, fmt.Errorf("keys file %s: %w", path, err)
	}
	return f, nil
}

func read(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it must be a regular file")
	}
	if err == nil {
		err = privatefile.CheckMode(info)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(text) > maxSize {
		err = fmt.Errorf("%s: it is too large", path)
	}
	return string(text), err
}

func parse(text string) (f File, err error) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "":
		case strings.HasPrefix(line, "#"):
			f.comments = append(f.comments, line)
		case word == rootKeyWord:
			err = f.addRootKey(strings.TrimSpace(rest))
		case word == instanceKeyWord:
			err = f.addInstanceKey(strings.TrimSpace(rest))
		default:
			err = errors.New("write root-key URL, instance-key ID, or # and a comment")
		}
		if err != nil {
			return File{}, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return f, nil
}

func (f *File) addRootKey(url string) error {
	if err := rootkey.Check(url); err != nil {
		return err
	}
	path, isFile := rootkey.FilePath(url)
	switch {
	case isFile && !filepath.IsAbs(path):
		return errors.New("the path of a root key must be absolute")
	case slices.Contains(f.RootKeys, url):
		return errors.New("the root key is named twice")
	}
	f.RootKeys = append(f.RootKeys, url)
	return nil
}

func (f *File) addInstanceKey(text string) error {
	id, err := uuid.Parse(text)
	switch {
	case err != nil || id.String() != text:
		return errors.New("this is not the id of an instance key")
	case slices.Contains(f.InstanceKeys, id):
		return errors.New("the instance key is named twice")
	}
	f.InstanceKeys = append(f.InstanceKeys, id)
	return nil
}

// With returns the file with these keys in the place of its own. Those that it does not name any
// more stay as comments: older backups need them.
func (f File) With(rootKeys []string, instanceKeys []uuid.UUID, now time.Time) File {
	next := File{
		RootKeys: rootKeys, InstanceKeys: instanceKeys, comments: slices.Clone(f.comments),
	}
	taken := func(line string) {
		next.comments = append(next.comments,
			fmt.Sprintf("# until %s: %s", now.UTC().Format(time.DateOnly), line))
	}
	for _, url := range f.RootKeys {
		if !slices.Contains(rootKeys, url) {
			taken(rootKeyWord + " " + url)
		}
	}
	for _, id := range f.InstanceKeys {
		if !slices.Contains(instanceKeys, id) {
			taken(instanceKeyWord + " " + id.String())
		}
	}
	return next
}

func (f File) String() string {
	lines := slices.Clone(f.comments)
	if len(lines) == 0 {
		lines = append(lines, header)
	}
	for _, url := range f.RootKeys {
		lines = append(lines, rootKeyWord+" "+url)
	}
	for _, id := range f.InstanceKeys {
		lines = append(lines, instanceKeyWord+" "+id.String())
	}
	return strings.Join(lines, "\n") + "\n"
}

// Write replaces the file at path, which has the old or the new content at any time. It refuses
// what [Read] would not read back.
func (f File) Write(path string) error {
	text := f.String()
	again, err := parse(text)
	if err == nil && (!slices.Equal(again.RootKeys, f.RootKeys) ||
		!slices.Equal(again.InstanceKeys, f.InstanceKeys)) {
		err = errors.New("the URL of a root key cannot be written to it")
	}
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = privatefile.Replace(path, privatefile.Content([]byte(text)))
	}
	if err != nil {
		return fmt.Errorf("keys file %s: %w", path, err)
	}
	return nil
}
