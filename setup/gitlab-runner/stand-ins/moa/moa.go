// Package moa stands in for the expression language of job inputs. Text without an expression passes; any other is refused.
package moa

import (
	"errors"
	"strings"

	"gitlab.com/gitlab-org/moa/ast"
)

const opening = "${{"

// ParseTemplate returns a text that holds no expression.
func ParseTemplate(text string) (ast.Expr, error) {
	if strings.Contains(text, opening) {
		return nil, errors.New("this build has no expressions of job inputs")
	}
	return &ast.Text{Value: text}, nil
}

// EscapeTemplate makes a text that is read as itself.
func EscapeTemplate(text string) string { return strings.ReplaceAll(text, opening, "$"+opening) }
