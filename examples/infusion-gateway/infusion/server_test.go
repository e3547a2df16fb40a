package infusion

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

type ward struct {
	server http.Handler
	log    *bytes.Buffer
}

func newWard() ward {
	var lines bytes.Buffer
	return ward{NewGateway(testLibrary, log.New(&lines, "", 0)).Handler(), &lines}
}

func (w ward) send(method, path, body string) (int, string) {
	recorder := httptest.NewRecorder()
	w.server.ServeHTTP(recorder, httptest.NewRequest(method, path, strings.NewReader(body)))
	return recorder.Code, recorder.Body.String()
}

func TestAnOrderReachesItsPump(t *testing.T) {
	w := newWard()
	if status, _ := w.send("GET", "/pumps/IP-0001", ""); status != http.StatusNotFound {
		t.Fatalf("before: %d", status)
	}
	if status, text := w.send("POST", "/orders", `{"pump":"IP-0001","drug":"morphine","dose_ug_h":1500}`); status != 200 {
		t.Fatalf("order: %d %s", status, text)
	}
	_, text := w.send("GET", "/pumps/IP-0001", "")
	var set Setting
	if err := json.Unmarshal([]byte(text), &set); err != nil || set.Rate != 1500 || set.Drug != "morphine" {
		t.Fatalf("got %s, %v", text, err)
	}
}

func TestARefusedOrderChangesNothing(t *testing.T) {
	w := newWard()
	w.send("POST", "/orders", `{"pump":"IP-0001","drug":"morphine","dose_ug_h":1500}`)
	_, before := w.send("GET", "/pumps/IP-0001", "")
	status, text := w.send("POST", "/orders", `{"pump":"IP-0001","drug":"morphine","dose_ug_h":99000}`)
	_, after := w.send("GET", "/pumps/IP-0001", "")
	if status != http.StatusUnprocessableEntity || !strings.Contains(text, "hard limit") || before != after {
		t.Fatalf("got %d %s, then %s", status, text, after)
	}
}

func TestMalformedOrdersAreRefused(t *testing.T) {
	w := newWard()
	for _, body := range []string{
		``, `[]`, `null`, `{`, `{"pump":"IP-0001","drug":"morphine"}`,
		`{"pump":"IP-1","drug":"morphine","dose_ug_h":1}`,
		`{"pump":"IP-0001\n","drug":"morphine","dose_ug_h":1}`,
		`{"pump":"IP-0001","drug":"morphine","dose_ug_h":1.5}`,
		`{"pump":"IP-0001","drug":"morphine","dose_ug_h":"1"}`,
		`{"pump":"IP-0001","drug":"morphine","dose_ug_h":99999999999999999999}`,
		`{"pump":"IP-0001","drug":"morphine","dose_ug_h":1,"rate":9}`,
		`{"pump":"IP-0001","drug":"morphine","dose_ug_h":1} {}`,
		`{"pump":"IP-0001","drug":"","dose_ug_h":1}`,
		`{"pump":"IP-0001","drug":"morphine","dose_ug_h":null}`,
		`{"pump":"IP-0001","drug":"morphine","dose_ug_h":1,"dose_ug_h":0}`,
		`{"pump":"IP-0001","drug":"morphine","dose_ug_h":1,"Dose_ug_h":0}`,
		`{"pump":"IP-0001","drug":"morphine","dose_ug_h":1`,
		strings.Repeat("[", 4000),
		`{"pump":"IP-0001","drug":"morphine","dose_ug_h":1,"confirmed_by":"a b"}`,
	} {
		if status, text := w.send("POST", "/orders", body); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
	if status, _ := w.send("GET", "/pumps/IP-0001", ""); status != http.StatusNotFound {
		t.Fatal("one of them reached the pump")
	}
}

func TestLongBodyIsRefused(t *testing.T) {
	body := `{"pump":"` + strings.Repeat("I", 5000) + `"}`
	if status, _ := newWard().send("POST", "/orders", body); status != http.StatusRequestEntityTooLarge {
		t.Fatalf("got %d", status)
	}
}

func TestOrdersAtOneTimeRaiseTheRateInTurn(t *testing.T) {
	w := newWard()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			recorder := httptest.NewRecorder()
			body := strings.NewReader(`{"pump":"IP-0001","drug":"morphine","dose_ug_h":10000,"confirmed_by":"n.meier"}`)
			w.server.ServeHTTP(recorder, httptest.NewRequest("POST", "/orders", body))
		})
	}
	all.Wait()
	if _, text := w.send("GET", "/pumps/IP-0001", ""); !strings.Contains(text, `"rate_ul_h":8000`) {
		t.Fatalf("after four steps of 2000 ul/h: %s", text)
	}
}

func TestPumpsAreBounded(t *testing.T) {
	w := newWard()
	for number := range mostPumps + 1 {
		want := 200
		if number == mostPumps {
			want = http.StatusServiceUnavailable
		}
		body := fmt.Sprintf(`{"pump":"IP-%04d","drug":"morphine","dose_ug_h":1}`, number)
		if status, text := w.send("POST", "/orders", body); status != want {
			t.Fatalf("pump %d: %d %s", number, status, text)
		}
	}
}

func TestLogHasNoDrugAndNoDose(t *testing.T) {
	w := newWard()
	w.send("POST", "/orders", `{"pump":"IP-0001","drug":"morphine","dose_ug_h":1234}`)
	w.send("POST", "/orders", `{"pump":"IP-0001","drug":"morphine","dose_ug_h":12345}`)
	if lines := w.log.String(); strings.Count(lines, "\n") != 2 || strings.Contains(lines, "morphine") ||
		strings.Contains(lines, "1234") {
		t.Fatalf("got %s", lines)
	}
}

func TestDrugsAndHealthAreShown(t *testing.T) {
	w := newWard()
	if status, text := w.send("GET", "/drugs", ""); status != 200 || strings.Index(text, "morphine") > strings.Index(text, "thirds") {
		t.Fatalf("got %d %s", status, text)
	}
	if status, text := w.send("GET", "/health", ""); status != 200 || !strings.Contains(text, "ok") {
		t.Fatalf("got %d %s", status, text)
	}
}
