package cli

import (
	"context"
	"strings"

	"github.com/keysake/keysake/plaintext"
)

// A wouldSet is a variable that a run would set.
type wouldSet struct {
	Variable string `json:"variable"`
	Secret   string `json:"secret"` // names, separated by commas, for a line of a template
	Masked   string `json:"masked_value"`
	IsSet    bool   `json:"is_set"` // in the environment now
}

// printRun shows what a run would get. It takes no lease.
func (a *app) printRun(ctx context.Context, in *running) error {
	p, err := a.plan(in)
	if err != nil {
		return err
	}
	c, err := a.connectAs(ctx, in)
	if err != nil {
		return err
	}
	chosen, wanted, err := a.chosen(ctx, c, in, p)
	if err != nil {
		return err
	}
	variables, err := p.names.Variables(namesOf(chosen))
	if err != nil {
		return err
	}
	masks := map[string]string{}
	for _, s := range wanted {
		masks[s.Name] = s.MaskedValue
	}
	for _, f := range p.files {
		masks[f.secret] = "(in a file)"
	}
	rows := []wouldSet{}
	for _, v := range variables {
		rows = append(rows, wouldSet{Variable: v.Name, Secret: v.Secret, Masked: masks[v.Secret]})
	}
	for _, t := range p.template {
		rows = append(rows, wouldSet{
			Variable: t.name, Secret: strings.Join(t.value.Secrets(), ", "),
			Masked: string(t.value.Fill(func(name string) plaintext.Value {
				return plaintext.FromString(masks[name])
			}).Reveal()),
		})
	}
	for i := range rows {
		_, rows[i].IsSet = a.env(rows[i].Variable)
	}
	return show(a, rows, in.asJSON, wouldSetGrid)
}

func wouldSetGrid(rows []wouldSet) grid {
	all := grid{{"VARIABLE", "SECRET", "VALUE", "SET NOW"}}
	for _, r := range rows {
		all = append(all, []string{r.Variable, orDash(r.Secret), r.Masked, yesNo(r.IsSet)})
	}
	return all
}
