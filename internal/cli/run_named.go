package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/wire"
)

// A naming is which providers a run named, by a preset or by the name of a secret. Which provider a
// secret is of is the server's word otherwise, and who answers in its place could say it of one
// whose traffic is not theirs to read.
type naming struct {
	catalog *catalog.Catalog
	presets []string
	secrets []string          // by name: a pattern, an id and --all name none
	maps    map[string]string // the variable that a secret becomes
}

func (in *running) naming(known *catalog.Catalog, p *plan) naming {
	n := naming{
		catalog: known, presets: in.choice.presets, secrets: p.needed(), maps: p.names.Map,
	}
	for _, ref := range in.choice.refs {
		if secretName.MatchString(ref) {
			n.secrets = append(n.secrets, ref)
		}
	}
	return n
}

// of returns the providers whose keys have the name of a secret, or the variable that it becomes.
func (n naming) of(secret string) []string {
	return append(n.catalog.ProvidersOf(secret), n.catalog.ProvidersOf(n.maps[secret])...)
}

// hosts returns the hosts of all providers that were named, as an authority names them: those of
// this program's own catalog, with the params that the run asked for.
func (n naming) hosts(params []string) (hosts []string) {
	given := map[string]string{}
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		given[name] = value
	}
	named := slices.Clone(n.presets)
	for _, secret := range n.secrets {
		named = append(named, n.of(secret)...)
	}
	for _, id := range named {
		entry, _ := n.catalog.Entry(id)
		hosts = append(hosts, entry.DomainsWith(given)...)
	}
	return hosts
}

// check returns an error if a secret is of a provider that neither its name nor the run says: that
// provider's requests would be led to the server, with a key that the command has of its own. A
// provider that this program does not know has no host, variable or address of those that it knows.
func (n naming) check(s wire.BrokeredSecret) error {
	_, known := n.catalog.Entry(s.Provider)
	if !known || slices.Contains(append(n.of(s.Name), n.presets...), s.Provider) {
		return nil
	}
	return fmt.Errorf("the server says that %s is a key of %q, which its name does not say: the "+
		"command is not started; if it is one, choose it with --preset, or name the variable that "+
		"it becomes with --map", s.Name, s.Provider)
}
