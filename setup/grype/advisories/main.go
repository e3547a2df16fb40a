// Command advisories builds a small, real Grype database (schema 6) from the facts of setup/trivy/advisories.json.
//
// It writes DIR/6/vulnerability.db and DIR/6/import.json with Grype's own writer, as a cache folder has them. Like the
// small Trivy database it is complete for what it lists and silent about everything else.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"
	"github.com/anchore/grype/grype/distro"
	"github.com/spf13/afero"
)

type advisory struct {
	VendorIDs                           []string
	VulnerableVersions, PatchedVersions []string
	FixedVersion                        string
	Severity                            int
}

type source struct {
	Bucket     string                         `json:"bucket"`
	Source     struct{ ID string }            `json:"source"`
	Advisories map[string]map[string]advisory `json:"advisories"`
}

type description struct {
	Title          string
	VendorSeverity map[string]int
	CVSS           map[string]struct{ V2Vector, V3Vector, V40Vector string }
	CweIDs         []string
	References     []string
	PublishedDate  *time.Time
}

type facts struct {
	Sources         []source               `json:"sources"`
	Vulnerabilities map[string]description `json:"vulnerabilities"`
}

// kind is how Grype names what a bucket's packages are: the ecosystem, and how their versions are compared.
type kind struct{ ecosystem, versions string }

// The beginnings of Trivy's buckets, and of names that Grype alone has; that of a distribution ends with its release.
var kinds = map[string]kind{
	"pip":      {"python", "python"},
	"npm":      {"npm", "semver"},
	"go":       {"go-module", "go"},
	"maven":    {"java-archive", "maven"},
	"cargo":    {"rust-crate", "semver"},
	"rubygems": {"gem", "gem"},
	"composer": {"php-composer", "semver"},
	"nuget":    {"dotnet", "semver"},
	"alpine":   {"apk", "apk"},
	"debian":   {"deb", "dpkg"},
	"ubuntu":   {"deb", "dpkg"},
	"erlang":   {"hex", "semver"},
	"pub":      {"dart-pub", "semver"},
	"swift":    {"swift", "semver"},

	"wolfi":      {"apk", "apk"},
	"chainguard": {"apk", "apk"},
	"rhel":       {"rpm", "rpm"},
	"ol":         {"rpm", "rpm"},
	"amzn":       {"rpm", "rpm"},
	"sles":       {"rpm", "rpm"},
	"photon":     {"rpm", "rpm"},
	"azurelinux": {"rpm", "rpm"},
	"mariner":    {"rpm", "rpm"},
	"fedora":     {"rpm", "rpm"},
}

// A release with a codename in its os-release matches only records that have it.
var codenames = map[string]string{"11": "bullseye", "12": "bookworm", "13": "trixie"}

var severities = []string{"unknown", "low", "medium", "high", "critical"}

func main() {
	log.SetFlags(0)
	log.SetPrefix("advisories: ")
	in := flag.String("in", "advisories.json", "the facts")
	out := flag.String("out", "", "Grype cache folder to write 6/ into")
	flag.Parse()
	if *out == "" {
		log.Fatal("-out names the Grype cache folder to write into")
	}
	if err := build(*in, filepath.Join(*out, "6")); err != nil {
		log.Fatal(err)
	}
}

func build(in, dir string) error {
	raw, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	var all facts
	if err := json.Unmarshal(raw, &all); err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	writer, err := v6.NewWriter(v6.Config{DBDirPath: dir})
	if err != nil {
		return err
	}
	if err := fill(writer, all, time.Now().UTC()); err != nil {
		return err
	}
	if err := writer.SetDBMetadata(); err != nil {
		return err
	}
	if err := writer.Close(); err != nil {
		return err
	}
	_, err = v6.WriteImportMetadata(afero.NewOsFs(), dir, "facts")
	return err
}

func fill(writer v6.ReadWriter, all facts, now time.Time) error {
	providers := map[string]bool{"nvd": true}
	for _, feed := range all.Sources {
		providers[providerOf(feed)] = true
	}
	for id := range providers {
		if err := writer.AddProvider(v6.Provider{ID: id, Version: "1", Processor: "facts", DateCaptured: &now}); err != nil {
			return err
		}
	}
	for _, id := range sorted(all.Vulnerabilities) {
		if err := writer.AddVulnerabilities(record(id, "nvd", "nvd", nil, all.Vulnerabilities[id])); err != nil {
			return err
		}
		for _, cwe := range all.Vulnerabilities[id].CweIDs {
			if err := writer.AddCWE(&v6.CWEHandle{CVE: id, CWE: cwe, Source: "nvd@nist.gov", Type: "Primary"}); err != nil {
				return err
			}
		}
	}
	for _, feed := range all.Sources {
		for _, name := range sorted(feed.Advisories) {
			for _, id := range sorted(feed.Advisories[name]) {
				if err := affect(writer, feed, name, id, feed.Advisories[name][id], all.Vulnerabilities[id]); err != nil {
					return fmt.Errorf("%s of %s: %w", id, name, err)
				}
			}
		}
	}
	return nil
}

// affect adds one advisory about one package. GitHub's are named as GitHub names them, and have the CVE as an alias.
func affect(writer v6.ReadWriter, feed source, name, id string, one advisory, about description) error {
	start, release, _ := strings.Cut(strings.ReplaceAll(feed.Bucket, "::", " "), " ")
	kind, known := kinds[start]
	if !known {
		return fmt.Errorf("the feed %s has no kind in Grype's words", feed.Bucket)
	}
	provider, called, aliases := providerOf(feed), id, []string(nil)
	if provider == "github" && len(one.VendorIDs) > 0 {
		called, aliases = one.VendorIDs[0], []string{id}
	}
	vulnerability := record(called, provider, feed.Source.ID, aliases, about)
	if err := writer.AddVulnerabilities(vulnerability); err != nil {
		return err
	}
	var system *v6.OperatingSystem
	if kind.ecosystem == "apk" || kind.ecosystem == "deb" || kind.ecosystem == "rpm" {
		major, minor, _ := strings.Cut(release, ".")
		// As Grype's own builder names systems: rhel is redhat there, with rhel as the id of its releases.
		family := start
		if named, known := distro.IDMapping[start]; known {
			family = named.String()
		}
		system = &v6.OperatingSystem{Name: family, ReleaseID: start, MajorVersion: major, MinorVersion: minor}
		if start == "debian" {
			system.Codename = codenames[release]
		}
	}
	return writer.AddAffectedPackages(&v6.AffectedPackageHandle{
		VulnerabilityID: vulnerability.ID,
		OperatingSystem: system,
		Package:         &v6.Package{Ecosystem: kind.ecosystem, Name: name},
		BlobValue:       &v6.PackageBlob{CVEs: []string{id}, Ranges: ranges(one, kind.versions)},
	})
}

func ranges(one advisory, versions string) []v6.Range {
	if len(one.VulnerableVersions) == 0 {
		constraint, fix := "", &v6.Fix{State: v6.NotFixedStatus}
		if one.FixedVersion != "" {
			constraint, fix = "< "+one.FixedVersion, &v6.Fix{Version: one.FixedVersion, State: v6.FixedStatus}
		}
		return []v6.Range{{Version: v6.Version{Type: versions, Constraint: constraint}, Fix: fix}}
	}
	var all []v6.Range
	for at, vulnerable := range one.VulnerableVersions {
		fix := &v6.Fix{State: v6.NotFixedStatus}
		if at < len(one.PatchedVersions) {
			fix = &v6.Fix{Version: one.PatchedVersions[at], State: v6.FixedStatus}
		}
		all = append(all, v6.Range{Version: v6.Version{Type: versions, Constraint: vulnerable}, Fix: fix})
	}
	return all
}

func record(id, provider, origin string, aliases []string, about description) *v6.VulnerabilityHandle {
	blob := &v6.VulnerabilityBlob{ID: id, Description: about.Title, Aliases: aliases}
	level := about.VendorSeverity[origin]
	if level == 0 {
		level = about.VendorSeverity["nvd"]
	}
	blob.Severities = []v6.Severity{{Scheme: v6.SeveritySchemeCHML, Value: severities[level], Rank: 1}}
	if provider == "nvd" {
		for _, vector := range []string{about.CVSS["nvd"].V40Vector, about.CVSS["nvd"].V3Vector, about.CVSS["nvd"].V2Vector} {
			if vector != "" {
				version, _, _ := strings.Cut(strings.TrimPrefix(vector, "CVSS:"), "/")
				blob.Severities = append(blob.Severities, v6.Severity{Scheme: v6.SeveritySchemeCVSS,
					Value: v6.CVSSSeverity{Vector: vector, Version: version}, Source: "nvd@nist.gov", Rank: 2})
			}
		}
	}
	for _, url := range about.References {
		blob.References = append(blob.References, v6.Reference{URL: url})
	}
	return &v6.VulnerabilityHandle{Name: id, Status: v6.VulnerabilityActive, ProviderID: provider,
		PublishedDate: about.PublishedDate, BlobValue: blob}
}

// providerOf names a feed as Grype names the one who collects it.
func providerOf(feed source) string {
	switch {
	case feed.Source.ID == "ghsa", feed.Source.ID == "osv":
		return "github"
	default:
		return feed.Source.ID
	}
}

func sorted[V any](all map[string]V) []string {
	var names []string
	for name := range all {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
