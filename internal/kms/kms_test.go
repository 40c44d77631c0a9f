package kms_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/kmspipe"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/wire"
)

// program is keysake-kms as it was just built.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "keysake-kms")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, kmspipe.Program)
	out, err := exec.CommandContext(
		context.Background(), "go", "build", "-o", program, "../../cmd/keysake-kms",
	).CombinedOutput()
	if err != nil {
		panic(string(out))
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// open returns the root key of a URL, of which the program asks the service.
func open(t *testing.T, url string, patience time.Duration) seal.RootKey {
	t.Helper()
	o := &rootkey.Opener{ServiceTimeout: patience, Helper: kmspipe.Helper{Path: program}}
	t.Cleanup(o.Close)
	root, err := o.Open(t.Context(), rootkey.Location{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func newOwnerKey(t *testing.T) seal.OwnerKey {
	t.Helper()
	key, err := seal.NewOwnerKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestAWSWrapsAndUnwraps(t *testing.T) {
	aws := newAWS(t)
	root := open(t, awsURL, time.Minute)
	user, key := uuid.New(), newOwnerKey(t)
	id := key.ID()
	blob, err := root.Wrap(t.Context(), user, key)
	if err != nil {
		t.Fatal(err)
	}
	again, err := root.Unwrap(t.Context(), user, id, blob)
	if err != nil || !again.Equal(key) {
		t.Fatalf("it opens to another key, or not: %v", err)
	}
	if _, err := root.Unwrap(t.Context(), uuid.New(), id, blob); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("moved to another user it opens: %v", err)
	}
	if n := aws.asked(); n != 3 {
		t.Errorf("it was asked %d times, want once for each", n)
	}
}

// AWS opens whatever its caller may use, also under a key of somebody else's account.
func TestAnotherKeyOfAWSIsNotBelieved(t *testing.T) {
	aws := newAWS(t)
	other := open(t, "awskms:///"+foreign, time.Minute)
	check, err := other.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	root := open(t, awsURL, time.Minute)
	own, err := root.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	swapped := append(append([]byte{}, own[:17]...), check[17:]...) // the format and the key's id
	if err := root.OpenCheck(t.Context(), swapped); !errors.Is(err, seal.ErrService) ||
		!strings.Contains(err.Error(), "IncorrectKey") {
		t.Errorf("a ciphertext of another key: %v", err)
	}
	for name, answer := range map[string]string{
		"another key": `{"KeyId":"` + foreign + `","Plaintext":"AAAA","CiphertextBlob":"AAAA"}`,
		"no key":      `{"Plaintext":"AAAA","CiphertextBlob":"AAAA"}`,
	} {
		aws.Answer(raw(answer))
		if err := root.OpenCheck(t.Context(), own); !errors.Is(err, seal.ErrService) ||
			!strings.Contains(err.Error(), "another key answered") {
			t.Errorf("%s answers a Decrypt: %v", name, err)
		}
		if _, err := root.Check(t.Context()); !errors.Is(err, seal.ErrService) {
			t.Errorf("%s answers an Encrypt: %v", name, err)
		}
	}
}

func raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = io.WriteString(w, text)
	}
}

func TestWhatAWSDoesWrongIsToldApart(t *testing.T) {
	aws := newAWS(t)
	root := open(t, awsURL, 8*time.Second)
	check, err := root.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   error
		calls  int
	}{
		"denied":       {awsError("AccessDeniedException", "not you"), seal.ErrService, 1},
		"disabled":     {awsError("DisabledException", ""), seal.ErrService, 1},
		"to be gone":   {awsError("KMSInvalidStateException", ""), seal.ErrService, 1},
		"too many":     {awsError("ThrottlingException", "slow down"), seal.ErrService, 3},
		"its own":      {awsError("KMSInternalException", ""), seal.ErrService, 3},
		"no JSON":      {raw("<html>"), seal.ErrService, 3},
		"nothing":      {raw("{}"), seal.ErrService, 1},
		"another text": {raw(`{"KeyId":"` + arn + `","Plaintext":"AAAA"}`), seal.ErrService, 1},
		"too much": {
			raw(`{"KeyId":"` + arn + `","Plaintext":"` + strings.Repeat("AAAA", 1<<14) + `"}`),
			seal.ErrService, 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			aws.Answer(c.answer)
			err := root.OpenCheck(t.Context(), check)
			if !errors.Is(err, c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is %v", err)
			}
			if n := aws.asked(); n != c.calls {
				t.Errorf("it was asked %d times, want %d: %v", n, c.calls, err)
			}
			aws.Answer(nil)
			if err := root.OpenCheck(t.Context(), check); err != nil {
				t.Errorf("it does not recover: %v", err)
			}
		})
	}
}

func TestAWSIsNotWaitedFor(t *testing.T) {
	aws := newAWS(t)
	check, err := open(t, awsURL, time.Minute).Check(t.Context())
	apptest.Must(t, err)
	aws.Answer(apptest.Silence)
	err = open(t, awsURL, time.Second).OpenCheck(t.Context(), check)
	if !errors.Is(err, seal.ErrServiceTimeout) {
		t.Errorf("the error is %v", err)
	}
}

func TestAWrongSignatureIsRefusedByTheService(t *testing.T) {
	newAWS(t)
	t.Setenv("AWS_SECRET_ACCESS_KEY", strings.Repeat("0", 40))
	_, err := open(t, awsURL, time.Minute).Check(t.Context())
	if !errors.Is(err, seal.ErrService) || !strings.Contains(err.Error(), "InvalidSignature") {
		t.Errorf("%v", err)
	}
}

func TestTheProgramRefusesWhatIsNoKey(t *testing.T) {
	h := &kmspipe.Helper{Path: program}
	t.Cleanup(h.Close)
	for _, url := range []string{
		"", "file:/etc/passwd", "passphrase:", "hashivault://keysake", "awskms:///alias/keysake",
		awsURL + "?endpoint=http://attacker.example", "awskms://me:word@" + arn,
		"azurekeyvault://vault.attacker.example/keys/k",
	} {
		_, err := h.Unwrap(t.Context(), url, []byte("x"))
		failed, ok := errors.AsType[*kmspipe.Error](err)
		if !ok || failed.Failure != kmspipe.Refused {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestAServerKeepsItsRootKeyInAWS(t *testing.T) {
	aws := newAWS(t)
	cfg := apptest.Config(t)
	cfg.RootKeys, cfg.KMSHelper = []string{awsURL}, program
	srv := apptest.StartWith(t, cfg)
	_, err := srv.Client(t).CreateUser(t.Context(), wire.CreateUser{Username: "max"})
	apptest.Must(t, err)
	srv.Stop(t)
	cfg.Dev, cfg.Keys = false, cfg.DevKeysFile()
	srv = apptest.StartWith(t, cfg)
	if list, err := srv.Client(t).ListUsers(t.Context()); err != nil || list.Total != 2 {
		t.Errorf("%v, %v", list, err)
	}
	if strings.Contains(srv.Logs.String(), aws.secret) {
		t.Error("the log has the secret of AWS")
	}
}
