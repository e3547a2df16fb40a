// Package client has what would be sent to a step runner, and how it would answer.
package client

import "time"

// What is sent.
type (
	Variable struct {
		Key, Value   string
		File, Masked bool
	}
	RunRequest struct {
		Id                string
		Timeout           *time.Duration
		WorkDir, BuildDir string
		Env               map[string]string
		Steps             string
		Variables         []Variable
	}
)

// State is how steps ended.
type State int

// The states.
const (
	StateUnknown State = iota
	StateSuccess
	StateFailure
	StateCancelled
)

var names = [...]string{"unknown", "success", "failure", "cancelled"}

func (s State) String() string { return names[s] }

// ErrorKind is why steps failed.
type ErrorKind int

// The kinds.
const (
	ErrorUnknown ErrorKind = iota
	ErrorInternal
	ErrorStepFailure
	ErrorCancelled
	ErrorTimeout
)

// Status is the answer.
type Status struct {
	Id, Message string
	State       State
	ErrorKind   ErrorKind
}
