package kmspipe_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/kmspipe"
)

// behaviour is the variable that makes the test's own program one that a server starts.
const behaviour = "KMSPIPE_TEST_BEHAVIOUR"

func TestMain(m *testing.M) {
	if how := os.Getenv(behaviour); how != "" {
		behave(how)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// mirror is a key service that flips every bit. Some keys do something else.
type mirror struct{}

func (mirror) Wrap(ctx context.Context, key string, plain []byte) ([]byte, error) {
	switch key {
	case "refused":
		return nil, &kmspipe.Error{Failure: kmspipe.Refused, Reason: "not you"}
	case "broken":
		return nil, errors.New("out\nof order")
	case "telling":
		return nil, fmt.Errorf("cannot wrap %s", plain)
	case "panics":
		panic(plain)
	case "empty":
		return nil, nil
	case "slow":
		<-ctx.Done()
		return nil, ctx.Err()
	case "dies":
		os.Exit(3)
	}
	out := make([]byte, len(plain))
	for i := range plain {
		out[i] = ^plain[i]
	}
	return out, nil
}

func (m mirror) Unwrap(ctx context.Context, key string, wrapped []byte) ([]byte, error) {
	return m.Wrap(ctx, key, wrapped)
}

// behave is what a program does that is not well, or whose standard error is loud.
func behave(how string) {
	hello := `{"protocol":"` + kmspipe.Protocol + `"}` + "\n"
	say := func(text string) { _, _ = io.WriteString(os.Stdout, text) }
	in := bufio.NewReader(os.Stdin)
	switch how {
	case "well":
		_, _ = io.WriteString(os.Stderr, strings.Repeat("loud\n", 1<<16))
		for _, variable := range os.Environ() {
			if strings.HasPrefix(variable, "VAULT_") || strings.HasPrefix(variable, "KEYSAKE_") {
				os.Exit(4)
			}
		}
		_ = kmspipe.Serve(context.Background(), os.Stdin, os.Stdout, mirror{})
	case "ends":
	case "speaks another protocol":
		say(`{"protocol":"keysake-kms 2"}` + "\n")
		_, _ = io.Copy(io.Discard, in)
	case "says garbage first":
		say("Starting up...\n")
		_, _ = io.Copy(io.Discard, in)
	case "says nothing":
		_, _ = io.Copy(io.Discard, in)
	case "does not read":
		say(hello)
		time.Sleep(time.Minute)
	case "answers nothing":
		say(hello)
		_, _ = io.Copy(io.Discard, in)
	case "floods":
		for say(hello); ; {
			say(`{"id":1,"data":"AAAA"}` + "\n")
		}
	case "floods without a newline":
		for say(hello); ; {
			say(strings.Repeat("x", 4096))
		}
	default: // the answer to the first request, and nothing more
		say(hello)
		_, _ = in.ReadString('\n')
		say(how + "\n")
		_, _ = io.Copy(io.Discard, in)
	}
}
