package broker_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"github.com/keysake/keysake/internal/broker"
)

func TestEveryRuleSaysWhatToDo(t *testing.T) {
	t.Parallel()
	file := must(parser.ParseFile(token.NewFileSet(), "refusal.go", nil, 0))
	rules := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "rule" {
			return true
		}
		text, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		rules++
		if rule := must(strconv.Unquote(text.Value)); broker.Advice(rule) == "" {
			t.Errorf("nothing says what to do about %s", rule)
		}
		return true
	})
	if rules < 19 || broker.Advice("none") != "" {
		t.Errorf("%d rules", rules)
	}
}
