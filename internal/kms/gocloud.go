package kms

import (
	"context"
	"errors"
	"regexp"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"gocloud.dev/gcp"
	"gocloud.dev/secrets/azurekeyvault"
	"gocloud.dev/secrets/gcpkms"
)

// openGoogle takes the credentials from where every client of Google Cloud does. The opener of
// gocloud.dev itself would remember for ever that there were none.
func openGoogle(ctx context.Context, resource string) (key, error) {
	credentials, err := gcp.DefaultCredentials(ctx)
	if err != nil {
		return nil, err
	}
	client, _, err := gcpkms.Dial(ctx, credentials.TokenSource)
	if err != nil {
		return nil, err
	}
	return gcpkms.OpenKeeper(client, resource, nil), nil
}

const azureDomain = "vault.azure.net"

var errAzureDomain = errors.New("the domain of Azure's vaults must be such as " + azureDomain)

// openAzure takes the credentials from where every client of Azure does.
func (s *Services) openAzure(vault, name, version string) (key, error) {
	domain := s.AzureDomain
	if domain == "" {
		domain = azureDomain
	}
	if !regexp.MustCompile(`^vault(\.[a-z0-9-]+)+$`).MatchString(domain) {
		return nil, errAzureDomain
	}
	return azurekeyvault.OpenKeeper(
		newAzureClient,
		"https://"+vault+"."+domain+"/keys/"+name+"/"+version,
		nil,
	)
}

// newAzureClient is gocloud.dev's default without retries, which outlast the time that the server
// waits: it asks again itself.
func newAzureClient(vault string) (*azkeys.Client, error) {
	once := azcore.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}}
	credentials, err := azidentity.NewDefaultAzureCredential(
		&azidentity.DefaultAzureCredentialOptions{ClientOptions: once})
	if err != nil {
		return nil, err
	}
	return azkeys.NewClient(vault, credentials, &azkeys.ClientOptions{ClientOptions: once})
}
