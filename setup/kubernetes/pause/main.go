// Pause keeps a pod's namespaces open while its containers come and go, and reaps what they leave behind.
// It is the first process of every pod; Kubernetes publishes the like as registry.k8s.io/pause, which cannot be
// pulled where the tests run.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
	}
}
