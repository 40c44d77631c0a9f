package kms_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/kms/apiv1/kmspb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	googleRing    = "projects/keysake-test/locations/europe-west1/keyRings/ring/cryptoKeys/"
	googleAccount = "keysake@keysake-test.iam.gserviceaccount.com"
	googleToken   = "https://oauth2.googleapis.com/token"
)

// google stands in for Google Cloud: it gives tokens to a service account that signs for them, and
// keeps keys for who presents one.
type google struct {
	kmspb.UnimplementedKeyManagementServiceServer
	*standIn

	public *rsa.PublicKey
}

// newGoogle starts one, and names the credentials for it in the variable that every client reads.
func newGoogle(t *testing.T) *standIn {
	t.Helper()
	s := newStandIn(t, "gcpkms://"+googleRing+"key", "gcpkms://"+googleRing+"other")
	private := rsaKeys()[2]
	g := &google{standIn: s, public: &private.PublicKey}
	server := grpc.NewServer()
	kmspb.RegisterKeyManagementServiceServer(server, g)
	newInternet(t, map[string]http.Handler{
		"oauth2.googleapis.com":   http.HandlerFunc(g.giveToken),
		"cloudkms.googleapis.com": server,
	})
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", writeJSON(t, map[string]string{
		"type": "service_account", "client_email": googleAccount, "private_key_id": "1",
		"private_key": privatePEM(t, private), "token_uri": googleToken,
	}))
	s.failures = map[string]any{
		"denied": codes.PermissionDenied, "unknown": codes.NotFound,
		"disabled": codes.FailedPrecondition, "too many": codes.ResourceExhausted,
		"its own": codes.Internal,
	}
	return s
}

// giveToken answers a request that the account has signed: RFC 7523, section 2.1.
func (g *google) giveToken(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.PostFormValue("assertion"), ".")
	if len(parts) != 3 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	claimed, _ := base64.RawURLEncoding.DecodeString(parts[1])
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	var claims struct {
		Iss, Aud, Scope string
		Exp             int64
	}
	if rsa.VerifyPKCS1v15(g.public, crypto.SHA256, digest[:], signature) != nil ||
		json.Unmarshal(claimed, &claims) != nil || claims.Iss != googleAccount ||
		claims.Aud != googleToken || claims.Exp < time.Now().Unix() ||
		!strings.Contains(claims.Scope, "cloud") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	answerJSON(g.t, w, map[string]any{
		"access_token": g.token, "token_type": "Bearer", "expires_in": 3600,
	})
}

// begin checks the token, and gives the answer of a failure.
func (g *google) begin(ctx context.Context) error {
	in, _ := metadata.FromIncomingContext(ctx)
	if !slices.Equal(in.Get("authorization"), []string{"Bearer " + g.token}) {
		return status.Error(codes.Unauthenticated, "no token")
	}
	failure, silent := g.next()
	if silent {
		<-ctx.Done()
		return ctx.Err()
	}
	if code, ok := failure.(codes.Code); ok {
		return status.Error(code, "as the test wants")
	}
	return nil
}

func (g *google) Encrypt(
	ctx context.Context, in *kmspb.EncryptRequest,
) (*kmspb.EncryptResponse, error) {
	if err := g.begin(ctx); err != nil {
		return nil, err
	}
	sealed, found := g.seal("gcpkms://"+in.GetName(), in.GetPlaintext())
	if !found {
		return nil, status.Error(codes.NotFound, "no such key")
	}
	return &kmspb.EncryptResponse{Name: in.GetName(), Ciphertext: sealed}, nil
}

func (g *google) Decrypt(
	ctx context.Context, in *kmspb.DecryptRequest,
) (*kmspb.DecryptResponse, error) {
	if err := g.begin(ctx); err != nil {
		return nil, err
	}
	plain, ok := g.open("gcpkms://"+in.GetName(), in.GetCiphertext())
	if !ok {
		return nil, status.Error(codes.InvalidArgument, "Decryption failed")
	}
	return &kmspb.DecryptResponse{Plaintext: plain}, nil
}

func TestAServiceAccountOfGoogleThatSignsWithAnotherKeyGetsNoToken(t *testing.T) {
	s := newGoogle(t)
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", writeJSON(t, map[string]string{
		"type": "service_account", "client_email": googleAccount, "private_key_id": "1",
		"private_key": privatePEM(t, rsaKeys()[0]), "token_uri": googleToken,
	}))
	refused(t, s)
}
