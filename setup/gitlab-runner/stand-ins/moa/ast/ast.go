// Package ast has the two nodes that the runner names when it looks for sensitive inputs.
package ast

// Visitor is called before and after a node.
type Visitor interface {
	Enter(Expr) (Visitor, error)
	Exit(Expr) (Expr, error)
}

// Expr is a node.
type Expr interface{ Walk(Visitor) (Expr, error) }

// Text is a literal.
type Text struct{ Value string }

// Walk visits the literal.
func (t *Text) Walk(visitor Visitor) (Expr, error) { return visit(t, visitor) }

// Template would hold expressions; ParseTemplate never makes one.
type Template struct{}

// Walk visits the template.
func (t *Template) Walk(visitor Visitor) (Expr, error) { return visit(t, visitor) }

func visit(node Expr, visitor Visitor) (Expr, error) {
	if _, err := visitor.Enter(node); err != nil {
		return nil, err
	}
	return visitor.Exit(node)
}
