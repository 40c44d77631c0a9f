package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/wire"
)

func newTrust(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trust",
		Short: "Let in jobs by what they are, without an API key",
		Long: `Write rules that let in programs which show a token of an issuer that you trust:
GitHub Actions, GitLab, Kubernetes, or any other with OpenID Connect Discovery. A
token that has every claim of a rule is exchanged for a credential that works for
an hour at most. "keysake run --trust" does it.`,
		Example: `  keysake trust add --issuer https://token.actions.githubusercontent.com \
    --claim repository=acme/evals --claim ref=refs/heads/main
  keysake trust list`,
	}
	group(cmd)
	cmd.AddCommand(newTrustAdd(a), newTrustList(a), newTrustRemove(a))
	return cmd
}

// A newRule holds the arguments of "trust add".
type newRule struct {
	name, issuer, audience string
	claims, scopes         []string
	life                   time.Duration
}

func newTrustAdd(a *app) *cobra.Command {
	in := new(newRule)
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Let in who shows a token with these claims",
		Long: `Let in who shows a token of the issuer that has each claim with exactly this text:
there are no patterns. An issuer that signs for everyone, as GitHub does, needs a
claim that says for whom. A credential that the rule gives has its scopes, and none
can create API keys or rules. The rule ends with the API key that creates it. The
id of the rule goes to standard output: it is no secret. Needs the scope keys:write
and the scopes of the rule.`,
		Example: `  keysake trust add --issuer https://token.actions.githubusercontent.com \
    --claim repository=acme/evals --claim ref=refs/heads/main --for 1h
  keysake trust add --issuer https://gitlab.com --claim project_path=acme/evals
  keysake trust add --issuer https://oidc.example.org/cluster \
    --claim sub=system:serviceaccount:evals:runner`,
		Args: noArgs,
	}
	f := cmd.Flags()
	f.StringVar(&in.name, "name", "", "the `NAME` that lists show")
	f.StringVar(&in.issuer, "issuer", "", "the `URL` of the issuer, as its tokens have it")
	f.StringVar(&in.audience, "audience", "",
		"whom the tokens must be for, a `TEXT` (default: this server's URL)")
	f.StringArrayVar(&in.claims, "claim", nil,
		"a claim that a token must have: `NAME=TEXT` (repeatable)")
	f.StringSliceVar(&in.scopes, "scope", []string{"secrets:read", "leases:write"},
		"a `SCOPE` of the credentials; repeatable")
	f.DurationVar(&in.life, "for", 15*time.Minute, "how long a credential works, at most 1h")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.addTrust(cmd.Context(), in, *asJSON)
	}
	return cmd
}

func (a *app) addTrust(ctx context.Context, in *newRule, asJSON bool) error {
	body, err := in.body()
	if err != nil {
		return err
	}
	c, l, err := a.connected()
	if err != nil {
		return err
	}
	body.Audience = cmp.Or(in.audience, strings.TrimRight(l.URL, "/"))
	made, err := c.CreateTrustRule(ctx, body)
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(made)
	}
	a.infof("Tokens for %s are let in, with %s, for %s. The rule is:", made.Audience,
		strings.Join(made.Scopes, ", "), time.Duration(made.ForSeconds)*time.Second)
	if made.ExpiresAt != nil {
		a.infof("It expires with the API key that creates it, at %s.", formatTime(made.ExpiresAt))
	}
	return a.print(escape(made.ID) + "\n")
}

func (in *newRule) body() (wire.CreateTrustRule, error) {
	seconds := int64(in.life / time.Second)
	body := wire.CreateTrustRule{
		Issuer: in.issuer, Scopes: in.scopes, ForSeconds: &seconds, Claims: []wire.TrustClaim{},
	}
	if in.name != "" {
		body.Name = &in.name
	}
	if in.issuer == "" {
		return body, usagef("--issuer is missing")
	}
	for _, text := range in.claims {
		name, value, found := strings.Cut(text, "=")
		if !found || name == "" || value == "" {
			return body, usagef("--claim needs NAME=TEXT")
		}
		body.Claims = append(body.Claims, wire.TrustClaim{Name: name, Value: value})
	}
	if len(body.Claims) == 0 {
		return body, usagef("--claim is missing: a rule without one would let in everyone")
	}
	return body, nil
}

func newTrustList(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List your rules, and whom they let in now",
		Long: `List your rules, newest first. Below each is a line for every credential that it
gave and that works now: "keysake api-keys revoke ID" ends one. Needs the scope
keys:write.`,
		Example: `  keysake trust list
  keysake trust list --json`,
		Args: noArgs,
	}
	return listCommand(a, cmd, fromServer(a, (*client.Client).ListTrustRules), trustGrid)
}

func trustGrid(list wire.TrustRuleList) grid {
	rows := grid{{"NAME", "ISSUER", "CLAIMS", "SCOPES", "FOR", "ACTIVE", "EXPIRES", "ID"}}
	for _, r := range list.Rules {
		var claims []string
		for _, c := range r.Claims {
			claims = append(claims, c.Name+"="+c.Value)
		}
		rows = append(rows, []string{
			orDash(r.Name), r.Issuer, strings.Join(claims, ","), strings.Join(r.Scopes, ","),
			(time.Duration(r.ForSeconds) * time.Second).String(), yesNo(r.Active),
			formatTime(r.ExpiresAt), r.ID,
		})
		for _, c := range r.Credentials {
			rows = append(rows, []string{
				"- " + c.Subject, "", "", strings.Join(c.Scopes, ","), "", "yes",
				formatTime(&c.ExpiresAt), c.ID,
			})
		}
	}
	return rows
}

func newTrustRemove(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove NAME|ID",
		Aliases: []string{"rm"},
		Short:   "Remove a rule, and end what it gave",
		Long: `Remove a rule. Every credential that it gave ends at once. You are asked to
confirm, unless you give --yes; without a terminal, --yes is required. Needs the
scope keys:write and every scope of the rule.`,
		Example: `  keysake trust remove evals
  keysake trust remove 0198c8a6-6f43-7d0e-9d2c-5b1f0a3c7e11 --yes`,
		Args: exactlyOne("the rule's NAME or ID"),
	}
	return removeCommand(a, cmd, a.ruleToRemove, (*client.Client).RemoveTrustRule, "Removed.")
}

// ruleToRemove returns the id of the rule with this NAME or ID, once that is confirmed.
func (a *app) ruleToRemove(
	ctx context.Context, c *client.Client, ref string, yes bool,
) (id string, err error) {
	list, err := c.ListTrustRules(ctx)
	if err != nil {
		return "", err
	}
	rule, err := pick(list.Rules, ref, "rule", "trust list", func(r wire.TrustRule) (string, bool) {
		return r.ID, r.Name == ref
	})
	if err != nil {
		return "", err
	}
	return rule.ID, a.confirm(ctx, yes, fmt.Sprintf("Remove %s, and end %s?",
		orDash(rule.Name), count(len(rule.Credentials), "credential", "credentials")))
}
