// Package oidc has the source of tokens of a sender that is never made.
package oidc

// What the runner names.
type (
	Option func()
	Source struct{}
)

// WithSkipIfUnsupportedCloud changes nothing.
func WithSkipIfUnsupportedCloud(bool) Option { return nil }

// NewSource returns a source that gives no token.
func NewSource(...Option) *Source { return &Source{} }
