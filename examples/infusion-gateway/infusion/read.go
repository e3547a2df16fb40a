package infusion

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
)

var (
	pumpName   = regexp.MustCompile(`^IP-[0-9]{4}$`)
	personName = regexp.MustCompile(`^[a-z0-9.@-]{0,64}$`)
	errShape   = errors.New("expected one JSON object with pump, drug, dose_ug_h (whole ug/h) and perhaps confirmed_by")
)

// readOrder reads one JSON object and nothing behind it. Its errors name keys, never values.
//
// Go's own decoder takes the last of two equal keys, and reads DOSE_UG_H as dose_ug_h: it would be unknown which of
// two doses is meant. So the keys are read one by one.
func readOrder(body io.Reader) (Order, error) {
	var order Order
	dosed := false // a dose that was forgotten must not be a stop
	seen := map[string]bool{}
	reader := json.NewDecoder(body)
	if token, err := reader.Token(); err != nil || token != json.Delim('{') {
		return Order{}, unreadable(err)
	}
	for reader.More() {
		token, err := reader.Token()
		key, text := token.(string)
		if err != nil || !text {
			return Order{}, unreadable(err)
		}
		if seen[key] {
			return Order{}, errors.New("a key appears twice")
		}
		seen[key] = true
		var place any
		switch key {
		case "pump":
			place = &order.Pump
		case "drug":
			place = &order.Drug
		case "dose_ug_h":
			place, dosed = &order.Dose, true
		case "confirmed_by":
			place = &order.ConfirmedBy
		default:
			return Order{}, errShape
		}
		var value json.RawMessage
		if err := reader.Decode(&value); err != nil {
			return Order{}, unreadable(err)
		}
		if string(value) == "null" || json.Unmarshal(value, place) != nil {
			return Order{}, fmt.Errorf("%s: has another type", key)
		}
	}
	if _, err := reader.Token(); err != nil { // the closing brace
		return Order{}, unreadable(err)
	}
	if _, err := reader.Token(); !errors.Is(err, io.EOF) {
		return Order{}, unreadable(err)
	}
	return order, order.check(dosed)
}

func (o Order) check(dosed bool) error {
	switch {
	case !pumpName.MatchString(o.Pump):
		return errors.New("pump: expected IP- and four digits")
	case o.Drug == "":
		return errors.New("drug: is missing")
	case !dosed:
		return errors.New("dose_ug_h: is missing")
	case !personName.MatchString(o.ConfirmedBy):
		return errors.New("confirmed_by: expected at most 64 of a-z, 0-9, '.', '@' and '-'")
	}
	return nil
}

func unreadable(err error) error {
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		return err
	}
	return errShape
}
