// Command advisories builds a small, real Trivy database (schema 2) from facts kept as JSON.
//
// It writes DIR/db/trivy.db and DIR/db/metadata.json. The database is complete for what it
// lists and silent about everything else, which is why production policies refuse it.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/aquasecurity/trivy-db/pkg/db"
	"github.com/aquasecurity/trivy-db/pkg/metadata"
	"github.com/aquasecurity/trivy-db/pkg/types"
	bolt "go.etcd.io/bbolt"
)

// source is one advisory feed: a bucket of Trivy's database, its origin, and package -> id -> advisory.
type source struct {
	Bucket     string                               `json:"bucket"`
	Source     types.DataSource                     `json:"source"`
	Advisories map[string]map[string]types.Advisory `json:"advisories"`
}

type facts struct {
	Sources         []source                       `json:"sources"`
	Vulnerabilities map[string]types.Vulnerability `json:"vulnerabilities"`
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("advisories: ")
	in := flag.String("in", "advisories.json", "the facts")
	out := flag.String("out", "", "Trivy cache folder to write db/ into")
	updated := flag.String("updated-at", "", "time of the database, RFC 3339 (default: now)")
	flag.Parse()
	if *out == "" {
		log.Fatal("-out names the Trivy cache folder to write into")
	}
	if err := build(*in, *out, *updated); err != nil {
		log.Fatal(err)
	}
}

func build(in, out, updated string) error {
	at := time.Now().UTC()
	if updated != "" {
		parsed, err := time.Parse(time.RFC3339, updated)
		if err != nil {
			return fmt.Errorf("-updated-at: %w", err)
		}
		at = parsed.UTC()
	}
	raw, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	var all facts
	if err := json.Unmarshal(raw, &all); err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	dir := filepath.Join(out, "db")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.Remove(db.Path(dir)); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := db.Init(dir); err != nil {
		return err
	}
	defer db.Close()
	count, err := fill(all)
	if err != nil {
		return err
	}
	meta := metadata.Metadata{Version: db.SchemaVersion, UpdatedAt: at, NextUpdate: at.Add(24 * time.Hour), DownloadedAt: at}
	if err := metadata.NewClient(dir).Update(meta); err != nil {
		return err
	}
	log.Printf("%d advisories, %d vulnerabilities, dated %s", count, len(all.Vulnerabilities), at.Format(time.RFC3339))
	return nil
}

func fill(all facts) (int, error) {
	config := db.Config{}
	count := 0
	err := config.BatchUpdate(func(tx *bolt.Tx) error {
		for _, feed := range all.Sources {
			if err := config.PutDataSource(tx, feed.Bucket, feed.Source); err != nil {
				return err
			}
			root, err := tx.CreateBucketIfNotExists([]byte(feed.Bucket))
			if err != nil {
				return err
			}
			for pkg, advisories := range feed.Advisories {
				if err := fillPackage(root, pkg, advisories); err != nil {
					return err
				}
				count += len(advisories)
			}
		}
		for id, vulnerability := range all.Vulnerabilities {
			if err := config.PutVulnerability(tx, id, vulnerability); err != nil {
				return err
			}
		}
		return nil
	})
	return count, err
}

func fillPackage(root *bolt.Bucket, pkg string, advisories map[string]types.Advisory) error {
	bucket, err := root.CreateBucketIfNotExists([]byte(pkg))
	if err != nil {
		return err
	}
	for id, advisory := range advisories {
		raw, err := json.Marshal(&advisory)
		if err != nil {
			return err
		}
		if err := bucket.Put([]byte(id), raw); err != nil {
			return err
		}
	}
	return nil
}
