// Package fields stands in for the names of log fields. None is deprecated here, so each has one name in the runner's log.
package fields

// Names that the runner uses.
const (
	DurationS      = "duration_s"
	HTTPStatusCode = "status"
)

// Alias is the standard name of a deprecated field.
type Alias struct{ Standard string }

// Deprecated and VariantVersion are empty: nothing is renamed.
var (
	Deprecated     = map[string]Alias{}
	VariantVersion = map[string]int{}
)
