package infusion

import (
	"errors"
	"strings"
	"testing"
)

var testLibrary = Library{
	"morphine": {Name: "morphine", Concentration: 1000, SoftMax: 4000, HardMax: 10000, Step: 2000},
	"saline":   {Name: "saline", Concentration: 1, SoftMax: 1 << 40, HardMax: 1 << 40, Step: 1 << 40},
	"thirds":   {Name: "thirds", Concentration: 3, SoftMax: 100, HardMax: 100, Step: 1 << 40},
}

func decide(t *testing.T, order Order, now Setting) Setting {
	t.Helper()
	set, err := testLibrary.Decide(order, now)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return set
}

func refusal(t *testing.T, order Order, now Setting) string {
	t.Helper()
	set, err := testLibrary.Decide(order, now)
	var refused Refused
	if !errors.As(err, &refused) || set != now {
		t.Fatalf("got %+v, %v", set, err)
	}
	return refused.Reason
}

func TestRateFollowsFromDoseAndConcentration(t *testing.T) {
	if set := decide(t, Order{Drug: "morphine", Dose: 1500}, Setting{}); set.Rate != 1500 || set.Clamped != "" {
		t.Fatalf("got %+v", set)
	}
}

func TestRateIsNeverRoundedUp(t *testing.T) {
	if set := decide(t, Order{Drug: "thirds", Dose: 2}, Setting{}); set.Rate != 666 {
		t.Fatalf("got %d ul/h", set.Rate)
	}
}

func TestUnknownDrugIsRefused(t *testing.T) {
	refusal(t, Order{Drug: "Morphine", Dose: 1}, Setting{})
}

func TestHardLimitCannotBeConfirmed(t *testing.T) {
	now := Setting{Drug: "morphine", Rate: 9000}
	if set := decide(t, Order{Drug: "morphine", Dose: 10000, ConfirmedBy: "n.meier"}, now); set.Rate != 10000 {
		t.Fatalf("got %+v", set)
	}
	refusal(t, Order{Drug: "morphine", Dose: 10001, ConfirmedBy: "n.meier"}, now)
}

func TestSoftLimitNeedsANamedPerson(t *testing.T) {
	now := Setting{Drug: "morphine", Rate: 3000}
	decide(t, Order{Drug: "morphine", Dose: 4000}, now)
	refusal(t, Order{Drug: "morphine", Dose: 4001}, now)
	decide(t, Order{Drug: "morphine", Dose: 4001, ConfirmedBy: "n.meier"}, now)
}

func TestOneOrderRaisesTheRateByAtMostOneStep(t *testing.T) {
	first := decide(t, Order{Drug: "morphine", Dose: 4000}, Setting{})
	if first.Rate != 2000 || first.Ordered != 4000 || first.Clamped != "step" {
		t.Fatalf("got %+v", first)
	}
	if second := decide(t, Order{Drug: "morphine", Dose: 4000}, first); second.Rate != 4000 || second.Clamped != "" {
		t.Fatalf("got %+v", second)
	}
}

func TestRateFallsAtOnce(t *testing.T) {
	if set := decide(t, Order{Drug: "morphine", Dose: 0}, Setting{Drug: "morphine", Rate: 9000}); set.Rate != 0 {
		t.Fatalf("got %+v", set)
	}
}

func TestRateIsAtMostThePumps(t *testing.T) {
	for _, dose := range []int64{1000, 1 << 40} {
		set := decide(t, Order{Drug: "saline", Dose: dose}, Setting{})
		if set.Rate != MostRate || set.Clamped != "pump" {
			t.Fatalf("dose %d: got %+v", dose, set)
		}
	}
}

func TestNegativeDoseIsRefused(t *testing.T) {
	refusal(t, Order{Drug: "morphine", Dose: -1}, Setting{})
}

func TestAnotherDrugNeedsAStoppedPump(t *testing.T) {
	now := Setting{Drug: "saline", Rate: 5}
	for _, dose := range []int64{0, 1} {
		if why := refusal(t, Order{Drug: "morphine", Dose: dose}, now); !strings.Contains(why, "saline") {
			t.Fatalf("got %s", why)
		}
	}
	decide(t, Order{Drug: "morphine", Dose: 1}, decide(t, Order{Drug: "saline", Dose: 0}, now))
}
