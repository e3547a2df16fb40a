package infusion

import (
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"slices"
	"sync"
)

const (
	mostBytes = 4096
	mostPumps = 1000
)

// Gateway answers HTTP for the pumps of one ward. After a restart every pump counts as stopped, so that the first
// order of each is limited by the step of its drug.
type Gateway struct {
	library Library
	log     *log.Logger // neither drugs nor doses: they are patient data
	lock    sync.Mutex
	pumps   map[string]Setting
}

// NewGateway returns a gateway on a library.
func NewGateway(library Library, log *log.Logger) *Gateway {
	return &Gateway{library: library, log: log, pumps: map[string]Setting{}}
}

// Handler returns the routes.
func (g *Gateway) Handler() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	routes.HandleFunc("GET /drugs", g.drugs)
	routes.HandleFunc("GET /pumps/{pump}", g.pump)
	routes.HandleFunc("POST /orders", g.order)
	return routes
}

func (g *Gateway) drugs(w http.ResponseWriter, _ *http.Request) {
	listed := make([]Drug, 0, len(g.library))
	for _, drug := range g.library {
		listed = append(listed, drug)
	}
	slices.SortFunc(listed, func(a, b Drug) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	answer(w, http.StatusOK, map[string]any{"drugs": listed})
}

func (g *Gateway) pump(w http.ResponseWriter, r *http.Request) {
	g.lock.Lock()
	set, known := g.pumps[r.PathValue("pump")]
	g.lock.Unlock()
	if !known {
		refuse(w, http.StatusNotFound, "no order has reached this pump")
		return
	}
	answer(w, http.StatusOK, set)
}

func (g *Gateway) order(w http.ResponseWriter, r *http.Request) {
	order, err := readOrder(http.MaxBytesReader(w, r.Body, mostBytes))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		refuse(w, http.StatusRequestEntityTooLarge, "an order has at most 4096 bytes")
		return
	case err != nil:
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	set, status, err := g.carryOut(order)
	if err != nil {
		g.log.Printf("order refused for a pump: status %d", status)
		refuse(w, status, err.Error())
		return
	}
	g.log.Printf("order carried out, clamped: %t", set.Clamped != "")
	answer(w, http.StatusOK, set)
}

// carryOut decides and remembers in one piece: two orders for a pump must not both start from the same rate.
func (g *Gateway) carryOut(order Order) (Setting, int, error) {
	g.lock.Lock()
	defer g.lock.Unlock()
	now, known := g.pumps[order.Pump]
	if !known && len(g.pumps) >= mostPumps {
		return now, http.StatusServiceUnavailable, errors.New("this gateway serves at most 1000 pumps")
	}
	set, err := g.library.Decide(order, now)
	if err != nil {
		return now, http.StatusUnprocessableEntity, err
	}
	g.pumps[order.Pump] = set
	return set, http.StatusOK, nil
}

func refuse(w http.ResponseWriter, status int, why string) {
	answer(w, status, map[string]string{"refused": why})
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the client is gone: nobody is left to hear of it
}
