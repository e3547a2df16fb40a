// Package di would put a step runner together.
package di

import (
	"errors"
	"log/slog"

	"gitlab.com/gitlab-org/step-runner/pkg/runner"
	"gitlab.com/gitlab-org/step-runner/proto"
)

// Container holds nothing.
type Container struct{}

// NewContainer and its options change nothing.
func NewContainer(...func(*Container)) *Container                     { return &Container{} }
func WithBuiltinFunc(string, runner.BuiltinFunction) func(*Container) { return func(*Container) {} }
func WithOperatorLogger(*slog.Logger) func(*Container)                { return func(*Container) {} }

// StepRunnerService refuses.
func (*Container) StepRunnerService() (proto.StepRunnerServer, error) {
	return nil, errors.New("this build cannot run CI/CD steps")
}
