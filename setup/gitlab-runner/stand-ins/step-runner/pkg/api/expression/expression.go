// Package expression evaluates what moa.ParseTemplate lets through: text, as it is.
package expression

import (
	"gitlab.com/gitlab-org/moa/ast"
	"gitlab.com/gitlab-org/moa/value"
)

// Sensitive is the mark of an input that must not be shown.
const Sensitive uint16 = 1

// Input is a job input.
type Input struct {
	Key   string
	Value value.Value
}

// Evaluator returns text as it is.
type Evaluator struct{}

// NewEvaluator returns one.
func NewEvaluator(value.Value) (*Evaluator, error) { return &Evaluator{}, nil }

// Eval returns the text.
func (*Evaluator) Eval(text string, _ ast.Expr) (value.Value, error) { return value.String(text), nil }
