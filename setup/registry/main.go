// A registry with the referrers API of the OCI distribution specification 1.1, for tests on a loopback port.
package main

import (
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	address := flag.String("address", "127.0.0.1:0", "address to listen on")
	folder := flag.String("folder", "", "folder for blobs; they stay in memory without it")
	flag.Parse()
	options := []registry.Option{registry.WithReferrersSupport(true)}
	if *folder != "" {
		options = append(options, registry.WithBlobHandler(registry.NewDiskBlobHandler(*folder)))
	}
	server := &http.Server{Addr: *address, Handler: registry.New(options...), ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}
