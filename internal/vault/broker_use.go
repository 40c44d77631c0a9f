package vault

import (
	"net/url"

	"github.com/keysake/keysake/internal/catalog"
)

// A BrokerUseOf says how programs of a provider are led to the broker, whose URL comes before each
// path.
type BrokerUseOf struct {
	BaseURLs []BrokerVariable
	Unset    []string
	Git      []BrokerGit
	GH       []string // hosts that gh reaches by a socket
	// NeedsProxy: no variable leads its programs to the broker, which is their proxy.
	NeedsProxy bool
}

// A BrokerVariable is a variable from which programs read the address of a provider.
type BrokerVariable struct{ Name, Path, Scheme string }

// A BrokerGit is a URL that git replaces by the broker's, and the user that goes with the
// placeholder.
type BrokerGit struct{ URL, Path, User string }

// UseAtBroker returns how programs of a provider are led to the broker, by a lease with these
// params of hosts.
func (s *Service) UseAtBroker(provider string, params map[string]string) (use BrokerUseOf) {
	entry, _ := s.catalog.Entry(provider)
	use.Unset, use.GH, use.NeedsProxy = entry.Client.UnsetEnv, entry.Client.GH, true
	if len(entry.Attach) == 0 {
		return use
	}
	for _, b := range entry.Client.BaseURL {
		filled, ok := entry.FillHost(b.Default, params)
		at, err := url.Parse(filled)
		if err != nil || !ok || b.Scheme == "hostname_only" {
			continue
		}
		use.NeedsProxy = use.NeedsProxy && b.Scheme == "https_only"
		use.BaseURLs = append(use.BaseURLs, BrokerVariable{
			Name: b.Env, Path: brokerPath(entry, at.Host, params) + at.Path, Scheme: b.Scheme,
		})
	}
	for _, g := range entry.Client.Git {
		if at, err := url.Parse(g); err == nil {
			use.Git = append(use.Git, BrokerGit{
				URL: g, User: entry.Client.GitUser,
				Path: brokerPath(entry, at.Host, params) + at.Path,
			})
		}
	}
	return use
}

// brokerPath is what the path of a request to a host of the provider begins with at the broker.
func brokerPath(entry catalog.Entry, host string, params map[string]string) string {
	if first, _ := entry.FillHost(entry.Attach[0].Hosts[0], params); host == first {
		return "/" + entry.ID
	}
	return "/" + entry.ID + "/@" + host
}
