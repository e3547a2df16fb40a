// Package proxy would connect a stream with the socket of a step runner.
package proxy

import (
	"errors"
	"io"
)

// Proxy refuses.
func Proxy(io.Reader, io.Writer, io.ReadWriteCloser) error {
	return errors.New("this build cannot run CI/CD steps")
}
