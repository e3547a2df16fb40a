package infusion

import (
	"strings"
	"testing"
)

func TestReleasedLibraryIsUsable(t *testing.T) {
	library, err := Released()
	if err != nil || len(library) != 3 {
		t.Fatalf("got %d drugs, %v", len(library), err)
	}
}

func TestContradictoryLibraryIsRefused(t *testing.T) {
	good := `{"drug":"x","concentration_ug_ml":1,"soft_max_ug_h":2,"hard_max_ug_h":3,"step_ul_h":4}`
	for name, c := range map[string]struct{ text, why string }{
		"empty":            {`[]`, "is empty"},
		"no JSON":          {`{`, "not JSON"},
		"no name":          {strings.Replace("["+good+"]", `"x"`, `""`, 1), "without a name"},
		"twice":            {"[" + good + "," + good + "]", "twice"},
		"no concentration": {strings.Replace("["+good+"]", `ml":1`, `ml":0`, 1), "above 0"},
		"hard below soft":  {strings.Replace("["+good+"]", `h":3`, `h":1`, 1), "below the soft one"},
		"overflow":         {strings.Replace("["+good+"]", `h":3`, `h":9000000000000000`, 1), "is above"},
		"no step":          {strings.Replace("["+good+"]", `h":4`, `h":-4`, 1), "above 0"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ReadLibrary([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.why) {
				t.Fatalf("got %v", err)
			}
		})
	}
}
