// Package environ puts together the environment of a program that is given secrets.
package environ

import (
	"fmt"
	"maps"
	"slices"
)

// A Variable is one that a secret becomes.
type Variable struct {
	Name   string
	Secret string // the name of the secret
}

// Names says which variables secrets become.
type Names struct {
	Map     map[string]string // the name of a secret to the variable to use instead
	Prefix  string            // of every variable that Map does not name
	Aliases func(name string) []string
	Check   func(name string) error // of a variable that has not the name of its secret
}

// Variables returns the variables for these secrets, by name. A secret that keeps its name has its
// aliases too, but for those that another secret has, by name or as an alias of its own. It is an
// error if two secrets become one variable, or if Map names a secret that is not there.
func (n Names) Variables(secrets []string) ([]Variable, error) {
	owner := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(n.Map)) {
		if !slices.Contains(secrets, name) {
			return nil, fmt.Errorf("--map: %s is not among the chosen secrets", name)
		}
	}
	for _, secret := range secrets {
		variable, err := n.variable(secret)
		if err != nil {
			return nil, err
		}
		if other, taken := owner[variable]; taken && other != secret {
			return nil, fmt.Errorf("%s and %s would both become %s", other, secret, variable)
		}
		owner[variable] = secret
	}
	n.addAliases(owner)
	var all []Variable
	for _, name := range slices.Sorted(maps.Keys(owner)) {
		all = append(all, Variable{Name: name, Secret: owner[name]})
	}
	return all, nil
}

func (n Names) variable(secret string) (string, error) {
	name, mapped := n.Map[secret]
	if !mapped {
		name = n.Prefix + secret
	}
	if name == secret {
		return name, nil
	}
	if err := n.Check(name); err != nil {
		return "", fmt.Errorf("%s cannot become another variable: %w", secret, err)
	}
	return name, nil
}

// addAliases adds the aliases of those that have their own names.
func (n Names) addAliases(owner map[string]string) {
	if n.Aliases == nil {
		return
	}
	wanted := map[string][]string{}
	for variable, secret := range owner {
		if variable != secret {
			continue
		}
		for _, alias := range n.Aliases(variable) {
			wanted[alias] = append(wanted[alias], secret)
		}
	}
	for alias, secrets := range wanted {
		if _, taken := owner[alias]; !taken && len(secrets) == 1 {
			owner[alias] = secrets[0]
		}
	}
}
