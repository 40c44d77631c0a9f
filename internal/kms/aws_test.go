package kms_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	region  = "eu-central-1"
	arn     = "arn:aws:kms:" + region + ":111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	foreign = "arn:aws:kms:" + region + ":444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	awsURL  = "awskms:///" + arn
)

// awsKMS stands in for AWS KMS, on loopback. It checks signatures as the real one does, and has two
// keys. A ciphertext says which one made it.
type awsKMS struct {
	t      *testing.T
	secret string
	aead   map[string]cipher.AEAD

	mu     sync.Mutex
	answer http.HandlerFunc
	calls  int
}

// newAWS starts one, and names it and credentials for it in the variables that every client reads.
func newAWS(t *testing.T) *awsKMS {
	t.Helper()
	secret := make([]byte, 20)
	_, _ = rand.Read(secret) // it ends the program rather than fail
	s := &awsKMS{t: t, secret: hex.EncodeToString(secret), aead: map[string]cipher.AEAD{}}
	for _, name := range []string{arn, foreign} {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // it ends the program rather than fail
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		if s.aead[name], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_KMS": server.URL, "AWS_ACCESS_KEY_ID": "AKIDOFATEST",
		"AWS_SECRET_ACCESS_KEY": s.secret, "AWS_SESSION_TOKEN": "",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
		"AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	return s
}

// Answer makes it answer in another way; with nil it answers well again.
func (s *awsKMS) Answer(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer, s.calls = h, 0
}

func (s *awsKMS) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func (s *awsKMS) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls++
	answer := s.answer
	s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		return
	case !s.signed(r, body):
		awsError("InvalidSignatureException", "the signature does not match")(w, r)
	case answer != nil:
		answer(w, r)
	default:
		s.well(w, r, body)
	}
}

type awsBody struct {
	KeyID          string `json:"KeyId,omitempty"`
	Plaintext      []byte `json:",omitempty"`
	CiphertextBlob []byte `json:",omitempty"`
}

func (s *awsKMS) well(w http.ResponseWriter, r *http.Request, body []byte) {
	var in awsBody
	if err := json.Unmarshal(body, &in); err != nil {
		awsError("ValidationException", "no JSON")(w, r)
		return
	}
	out := awsBody{KeyID: in.KeyID}
	switch r.Header.Get("X-Amz-Target") {
	case "TrentService.Encrypt":
		aead, found := s.aead[in.KeyID]
		if !found {
			awsError("NotFoundException", "no such key")(w, r)
			return
		}
		sealed := aead.Seal(nil, nil, in.Plaintext, nil)
		out.CiphertextBlob = append([]byte(in.KeyID+"\n"), sealed...)
	case "TrentService.Decrypt":
		of, sealed, _ := strings.Cut(string(in.CiphertextBlob), "\n")
		if in.KeyID == "" { // AWS takes the key that the ciphertext names
			s.t.Error("a Decrypt names no key")
			in.KeyID = of
		}
		if in.KeyID != of {
			awsError("IncorrectKeyException", "another key made it")(w, r)
			return
		}
		plain, err := s.aead[of].Open(nil, nil, []byte(sealed), nil)
		if err != nil {
			awsError("InvalidCiphertextException", "")(w, r)
			return
		}
		out = awsBody{KeyID: of, Plaintext: plain}
	default:
		awsError("UnknownOperationException", "")(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(out)
}

func awsError(kind, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": kind, "message": message})
	}
}

var authorization = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=AKIDOFATEST/([0-9]{8})/` +
	region + `/kms/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$`)

// signed checks a signature of version 4.
func (s *awsKMS) signed(r *http.Request, body []byte) bool {
	parts := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if parts == nil || err != nil || time.Since(at).Abs() > 5*time.Minute ||
		at.Format("20060102") != parts[1] || r.Method != http.MethodPost || r.RequestURI != "/" ||
		!strings.Contains(";"+parts[2]+";", ";host;") {
		return false
	}
	var canonical strings.Builder
	fmt.Fprintf(&canonical, "POST\n/\n\n")
	for name := range strings.SplitSeq(parts[2], ";") {
		value := r.Header.Get(name)
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(r.ContentLength)
		}
		fmt.Fprintf(&canonical, "%s:%s\n", name, strings.TrimSpace(value))
	}
	fmt.Fprintf(&canonical, "\n%s\n%x", parts[2], sha256.Sum256(body))
	key := []byte("AWS4" + s.secret)
	for _, part := range []string{parts[1], region, "kms", "aws4_request"} {
		key = mac(key, part)
	}
	want := mac(key, fmt.Sprintf("AWS4-HMAC-SHA256\n%s\n%s/%s/kms/aws4_request\n%x",
		r.Header.Get("X-Amz-Date"), parts[1], region, sha256.Sum256([]byte(canonical.String()))))
	got, err := hex.DecodeString(parts[3])
	return err == nil && hmac.Equal(got, want)
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = io.WriteString(h, text) // a hash never fails
	return h.Sum(nil)
}
