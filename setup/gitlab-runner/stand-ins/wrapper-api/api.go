// Package api stands in for the remote control of a wrapped runner. The command that would use it is not linked.
package api

import (
	"context"
	"errors"

	"github.com/sirupsen/logrus"
)

// Status is the state of the wrapped process.
type Status int

// The states.
const (
	StatusUnknown Status = iota
	StatusRunning
	StatusInShutdown
	StatusStopped
)

var names = [...]string{"unknown", "running", "in-shutdown", "stopped"}

func (s Status) String() string { return names[s] }

// ErrProcessNotInitialized is what the wrapper answers before it has started anything.
var ErrProcessNotInitialized = errors.New("process not initialized")

// What a request to stop names, to be called once it is done.
type (
	ShutdownCallbackDef interface {
		URL() string
		Method() string
		Headers() map[string]string
	}
	InitGracefulShutdownRequest interface{ ShutdownCallbackDef() ShutdownCallbackDef }
	ShutdownCallback            interface{ Run(context.Context) }
)

// NewShutdownCallback returns none.
func NewShutdownCallback(logrus.FieldLogger, ShutdownCallbackDef) ShutdownCallback { return nil }
