// Package proto has what the runner's built-in functions say about their inputs.
package proto

import (
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"
)

// ValueType is the type of an input.
type ValueType int

// The types that the built-in functions have. (The names are those of the generated code.)
const (
	ValueType_string ValueType = iota
	ValueType_array
	ValueType_boolean
)

// A function's description.
type (
	Spec         struct{ Spec *Spec_Content }
	Spec_Content struct {
		Inputs map[string]*Spec_Content_Input
	}
	Spec_Content_Input struct {
		Type      ValueType
		Default   *structpb.Value
		Sensitive bool
	}
)

// GetSpec and GetInputs return the parts.
func (s *Spec) GetSpec() *Spec_Content                            { return s.Spec }
func (c *Spec_Content) GetInputs() map[string]*Spec_Content_Input { return c.Inputs }

// StepRunnerServer would run steps.
type StepRunnerServer interface{}

// RegisterStepRunnerServer registers nothing.
func RegisterStepRunnerServer(*grpc.Server, StepRunnerServer) {}
