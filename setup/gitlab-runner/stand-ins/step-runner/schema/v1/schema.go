// Package schema has the fields of a step as a job's JSON gives them. A job with steps is refused when it is run.
package schema

// StepInputs are the values that a step is given.
type StepInputs map[string]any

// Step is one entry of `run:`.
type Step struct {
	Name   *string           `json:"name,omitempty" yaml:"name,omitempty"`
	Step   any               `json:"step,omitempty" yaml:"step,omitempty"`
	Func   any               `json:"func,omitempty" yaml:"func,omitempty"`
	Script *string           `json:"script,omitempty" yaml:"script,omitempty"`
	Inputs StepInputs        `json:"inputs,omitempty" yaml:"inputs,omitempty"`
	Env    map[string]string `json:"env,omitempty" yaml:"env,omitempty"`
	Run    []Step            `json:"run,omitempty" yaml:"run,omitempty"`
}
