package infusion

import "fmt"

// MostRate is the highest rate that the pump's motor can keep, in ul/h (999.9 ml/h).
const MostRate = 999_900

// Order is what a prescriber asks for; a dose of 0 stops the pump.
type Order struct {
	Pump        string `json:"pump"`
	Drug        string `json:"drug"`
	Dose        int64  `json:"dose_ug_h"`
	ConfirmedBy string `json:"confirmed_by"` // who accepts a dose above the soft limit
}

// Setting is the rate that a pump is given, and why it may be lower than ordered.
type Setting struct {
	Pump    string `json:"pump"`
	Drug    string `json:"drug"`
	Rate    int64  `json:"rate_ul_h"`
	Ordered int64  `json:"ordered_ul_h"`
	Clamped string `json:"clamped,omitempty"` // "step" or "pump"
}

// Refused is why an order is not carried out. Nothing changes at the pump then.
type Refused struct{ Reason string }

func (r Refused) Error() string { return r.Reason }

// Decide returns the pump's setting for an order. `now` is what the pump does at this moment.
func (l Library) Decide(order Order, now Setting) (Setting, error) {
	drug, known := l[order.Drug]
	switch {
	case !known:
		return now, Refused{"the drug is not in the library"}
	case order.Dose < 0:
		return now, Refused{"the dose is below 0"}
	case now.Rate > 0 && now.Drug != order.Drug && order.Dose > 0:
		return now, Refused{fmt.Sprintf("the pump gives %s: stop it before another drug", now.Drug)}
	case now.Rate > 0 && now.Drug != order.Drug:
		return now, Refused{fmt.Sprintf("the pump gives %s: this would stop another drug", now.Drug)}
	case order.Dose > drug.HardMax:
		return now, Refused{fmt.Sprintf("the dose is above the hard limit of %d ug/h", drug.HardMax)}
	case order.Dose > drug.SoftMax && order.ConfirmedBy == "":
		return now, Refused{fmt.Sprintf("the dose is above the soft limit of %d ug/h: confirmed_by is required", drug.SoftMax)}
	}
	ordered := order.Dose * 1000 / drug.Concentration // rounds down: never more than ordered
	set := Setting{Pump: order.Pump, Drug: order.Drug, Rate: ordered, Ordered: ordered}
	before := now.Rate
	if set.Rate > before+drug.Step {
		set.Rate, set.Clamped = before+drug.Step, "step"
	}
	if set.Rate > MostRate {
		set.Rate, set.Clamped = MostRate, "pump"
	}
	return set, nil
}
