// Infusion-gateway serves the pumps of a ward on port 8080. With -health it asks a running one whether it is well:
// the image has no shell and no curl.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"example.org/infusion-gateway/infusion"
)

// version is set by the linker; it is in the program's build information, where scanners read it.
var version = "unknown"

func main() {
	ask := flag.Bool("health", false, "ask the gateway on this machine, and exit")
	flag.Parse()
	logger := log.New(os.Stdout, "", log.LstdFlags|log.LUTC)
	work := serve
	if *ask {
		work = health
	}
	if err := work(logger); err != nil {
		logger.Fatalf("infusion-gateway: %v", err)
	}
}

func health(*log.Logger) error {
	client := http.Client{Timeout: 2 * time.Second}
	response, err := client.Get("http://127.0.0.1:8080/health")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

func serve(logger *log.Logger) error {
	library, err := infusion.Released()
	if err != nil {
		return err
	}
	server := &http.Server{
		Addr:              ":8080",
		Handler:           infusion.NewGateway(library, logger).Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	go func() {
		<-stop.Done()
		limit, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(limit)
	}()
	logger.Printf("version %s serves %d drugs on %s", version, len(library), server.Addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
