package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/plaintext"
)

// A Key signs messages. The receiver has it, too.
type Key struct{ secret plaintext.Value }

// How a key is written: keyPrefix, and from minKey to maxKey bytes in base64.
const (
	keyPrefix = "whsec_"
	minKey    = 32
	maxKey    = 64

	maxKeyFile = 4 << 10
)

var errKey = fmt.Errorf("a key must be %s and base64 of %d to %d random bytes: make one with "+
	"echo %s$(head -c %d /dev/urandom | base64)", keyPrefix, minKey, maxKey, keyPrefix, minKey)

// ReadKeys returns the keys of a file that only its owner can read, one a line: while a receiver
// changes to another key, messages are signed with both.
func ReadKeys(path string) (keys []Key, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err == nil {
		err = privatefile.CheckMode(info)
	}
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	defer clear(text)
	if len(text) > maxKeyFile {
		return nil, errors.New("the file is too large")
	}
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		key, err := parseKey(line)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("the file is empty: %w", errKey)
	}
	return keys, nil
}

func parseKey(text []byte) (Key, error) {
	encoded, found := bytes.CutPrefix(text, []byte(keyPrefix))
	secret, err := base64.StdEncoding.AppendDecode(nil, encoded)
	if !found || err != nil || len(secret) < minKey || len(secret) > maxKey {
		return Key{}, errKey
	}
	return Key{plaintext.Own(secret)}, nil
}

// sign returns the signatures of a message that is sent at a time, with spaces between them.
func sign(keys []Key, m Message, at time.Time) string {
	content := m.ID + "." + strconv.FormatInt(at.Unix(), 10) + "." + m.Body
	all := make([]string, len(keys))
	for i, key := range keys {
		mac := hmac.New(sha256.New, key.secret.Reveal())
		_, _ = io.WriteString(mac, content) // it never fails
		all[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(all, " ")
}
