// Package api names the socket of a step runner that is never started.
package api

import "net"

// DefaultSocketPath returns where the socket would be.
func DefaultSocketPath() string { return "/tmp/step-runner.sock" }

// SocketAddr returns the address of a socket.
func SocketAddr(path string) *net.UnixAddr { return &net.UnixAddr{Name: path, Net: "unix"} }
