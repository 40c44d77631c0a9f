package kms

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"

	"github.com/keysake/keysake/internal/kmspipe"
)

// awsKey is a key of AWS KMS. The SDK's client is used directly: gocloud.dev does not say with
// which key to decrypt, and then AWS takes whatever key the ciphertext names.
type awsKey struct {
	client *kms.Client
	arn    string
}

// openAWS takes the credentials, and the endpoint if there is another one, from the variables and
// files that every client of AWS reads. The region is that of the key.
func openAWS(ctx context.Context, arn, region string) (key, error) {
	cfg, err := config.LoadDefaultConfig(
		ctx,
		config.WithRegion(region),
		config.WithRetryMaxAttempts(1), // the server asks again
	)
	if err != nil {
		return nil, err
	}
	return &awsKey{kms.NewFromConfig(cfg), arn}, nil
}

func (k *awsKey) Encrypt(ctx context.Context, plain []byte) ([]byte, error) {
	out, err := k.client.Encrypt(ctx, &kms.EncryptInput{KeyId: &k.arn, Plaintext: plain})
	if err != nil {
		return nil, err
	}
	return out.CiphertextBlob, k.check(out.KeyId)
}

func (k *awsKey) Decrypt(ctx context.Context, sealed []byte) ([]byte, error) {
	out, err := k.client.Decrypt(ctx, &kms.DecryptInput{KeyId: &k.arn, CiphertextBlob: sealed})
	if err != nil {
		return nil, err
	}
	return out.Plaintext, k.check(out.KeyId)
}

// check refuses an answer of another key.
func (k *awsKey) check(arn *string) error {
	if aws.ToString(arn) != k.arn {
		return &kmspipe.Error{Failure: kmspipe.Refused, Reason: "another key answered"}
	}
	return nil
}

// isFinalOfAWS reports whether AWS would answer the same again.
func isFinalOfAWS(err error) bool {
	answered, ok := errors.AsType[smithy.APIError](err)
	return ok && slices.Contains([]string{
		"AccessDeniedException", "NotFoundException", "InvalidCiphertextException",
		"IncorrectKeyException", "InvalidKeyUsageException", "DisabledException",
		"KMSInvalidStateException", "InvalidGrantTokenException", "InvalidArnException",
		"UnrecognizedClientException", "InvalidSignatureException", "ValidationException",
	}, answered.ErrorCode())
}
