// Package kmspipe is the protocol between a server and the program that asks key services for it,
// over the program's standard input and output. format.md describes every byte.
//
// [Serve] is the program's half. A [Helper] is the server's: it starts the program.
package kmspipe

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Protocol is what the first line of a program says.
const Protocol = "keysake-kms 1"

// MaxLine is the length of the longest line, in bytes, with its newline.
const MaxLine = 64 << 10

// maxData is how much can be wrapped or unwrapped, in bytes.
const maxData = MaxLine / 2

// maxReason is the length of the longest reason, in bytes.
const maxReason = 1024

// A Failure says whether it helps to ask again.
type Failure string

// The failures.
const (
	Refused     Failure = "refused"     // the service says no, and will again
	Unavailable Failure = "unavailable" // it may work next time
	Timeout     Failure = "timeout"     // there was no answer in time
)

// An Error is why a key could not be used. It never holds anything of a key.
type Error struct {
	Failure Failure
	Reason  string
}

func (e *Error) Error() string { return e.Reason }

// What is done with a key.
const (
	opWrap   = "wrap"
	opUnwrap = "unwrap"
)

type hello struct {
	Protocol string `json:"protocol"`
}

type request struct {
	ID      uint64 `json:"id"`
	Op      string `json:"op"`
	Key     string `json:"key"`
	Data    []byte `json:"data"`       // base64 in JSON
	Timeout int64  `json:"timeout_ms"` // from when it is read
}

type answer struct {
	ID     uint64  `json:"id"`
	Data   []byte  `json:"data,omitempty"`
	Error  Failure `json:"error,omitempty"`
	Reason string  `json:"reason,omitempty"`
}

var (
	errLine   = errors.New("a line is too long")
	errAnswer = errors.New("its answer is not one of the protocol")
)

// check refuses an answer that is neither data nor a failure.
func (a answer) check() error {
	switch a.Error {
	case "":
		if len(a.Data) == 0 || len(a.Data) > maxData || a.Reason != "" {
			return errAnswer
		}
	case Refused, Unavailable, Timeout:
		if a.Data != nil || len(a.Reason) > maxReason {
			return errAnswer
		}
	default:
		return errAnswer
	}
	return nil
}

func newScanner(r io.Reader) *bufio.Scanner {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 4<<10), MaxLine-1)
	return lines
}

// decode reads one line. Its error quotes nothing of it.
func decode(line []byte, into any) error {
	defer clear(line)
	if json.Unmarshal(line, into) != nil {
		return errAnswer
	}
	return nil
}

// send writes one line and wipes it.
func send(w io.Writer, message any) error {
	line, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("a message cannot be written: %w", err)
	}
	line = append(line, '\n')
	defer clear(line)
	if len(line) > MaxLine {
		return errLine
	}
	_, err = w.Write(line)
	return err
}

// oneLine makes a reason of an error.
func oneLine(err error) string {
	text := strings.ToValidUTF8(strings.Join(strings.Fields(err.Error()), " "), "")
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "")
	}
	return text
}

func failureOf(err error) Failure {
	if failed, ok := errors.AsType[*Error](err); ok {
		return failed.Failure
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Timeout
	}
	return Unavailable
}
