// Package gracefulexitcmd makes commands that get some time to end.
package gracefulexitcmd

import (
	"context"
	"os/exec"
	"time"
)

// New returns a command that is killed a while after its context ends.
func New(ctx context.Context, delay time.Duration, name string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, name, arguments...)
	command.WaitDelay = delay
	return command
}
