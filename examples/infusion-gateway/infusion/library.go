// Package infusion checks infusion orders against a drug library and limits the rate that a pump is given.
//
// Doses are whole micrograms an hour (ug/h), rates whole microlitres an hour (ul/h): no number is ever rounded up.
package infusion

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
)

// The library is part of the image: another one is another release. The figures are examples, not medical advice.
//
//go:embed library.json
var released []byte

// Above it the arithmetic of Decide could overflow.
const mostOfAll = 1_000_000_000_000

// Drug is one entry of the library.
type Drug struct {
	Name          string `json:"drug"`
	Concentration int64  `json:"concentration_ug_ml"`
	SoftMax       int64  `json:"soft_max_ug_h"` // above it a named person has to confirm
	HardMax       int64  `json:"hard_max_ug_h"` // above it nobody can
	Step          int64  `json:"step_ul_h"`     // by how much one order may raise a rate
}

// Library is the drugs by name.
type Library map[string]Drug

// Released returns the library of this release.
func Released() (Library, error) { return ReadLibrary(released) }

// ReadLibrary reads a library, and refuses one with a contradiction: a pump must not be started on it.
func ReadLibrary(text []byte) (Library, error) {
	var drugs []Drug
	if err := json.Unmarshal(text, &drugs); err != nil {
		return nil, fmt.Errorf("the drug library is not JSON: %w", err)
	}
	if len(drugs) == 0 {
		return nil, errors.New("the drug library is empty")
	}
	library := Library{}
	for _, drug := range drugs {
		if err := drug.check(); err != nil {
			return nil, err
		}
		if _, twice := library[drug.Name]; twice {
			return nil, fmt.Errorf("the drug library lists %s twice", drug.Name)
		}
		library[drug.Name] = drug
	}
	return library, nil
}

func (d Drug) check() error {
	switch {
	case d.Name == "":
		return errors.New("the drug library has a drug without a name")
	case d.Concentration <= 0 || d.SoftMax <= 0 || d.Step <= 0:
		return fmt.Errorf("drug library, %s: concentration, soft limit and step must be above 0", d.Name)
	case max(d.Concentration, d.SoftMax, d.HardMax, d.Step) > mostOfAll:
		return fmt.Errorf("drug library, %s: a number is above %d", d.Name, mostOfAll)
	case d.HardMax < d.SoftMax:
		return fmt.Errorf("drug library, %s: the hard limit is below the soft one", d.Name)
	}
	return nil
}
