// Package value has values of job inputs as far as the runner reads them from a job's JSON.
package value

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
)

// Kind is what a value is.
type Kind int

// The kinds of JSON.
const (
	NullKind Kind = iota
	StringKind
	NumberKind
	BoolKind
	ArrayKind
	ObjectKind
)

var names = [...]string{"null", "string", "number", "bool", "array", "object"}

func (k Kind) String() string { return names[k] }

// What a Mapper answers for a key that it does not have.
var (
	ErrAttributeNotFound = errors.New("attribute not found")
	ErrInvalidKey        = errors.New("invalid key")
)

// Mapper is an object whose attributes are made when asked for.
type Mapper interface {
	All() iter.Seq2[Value, Value]
	Attr(string) (Value, error)
	Get(Value) (Value, error)
	Keys() iter.Seq[Value]
	Len() int
	Values() iter.Seq[Value]
	WithMarks(uint16) Mapper
}

// Value is a JSON value with marks, such as "sensitive".
type Value struct {
	kind    Kind
	content any
	marks   uint16
}

// Null returns the value that is nothing.
func Null() Value { return Value{} }

// String returns a text.
func String(text string) Value { return Value{kind: StringKind, content: text} }

// Object returns an object.
func Object(mapper Mapper) Value { return Value{kind: ObjectKind, content: mapper} }

// Kind returns what the value is.
func (v Value) Kind() Kind { return v.kind }

func (v Value) String() string { return fmt.Sprint(v.content) }

// WithMarks returns the value with more marks.
func (v Value) WithMarks(marks uint16) Value {
	v.marks |= marks
	return v
}

// HasMarks says whether the value has one of the marks.
func (v Value) HasMarks(marks uint16) bool { return v.marks&marks != 0 }

// MarshalJSON writes the value without its marks.
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(v.content) }

// UnmarshalJSON reads any JSON.
func (v *Value) UnmarshalJSON(text []byte) error {
	var content any
	if err := json.Unmarshal(text, &content); err != nil {
		return err
	}
	*v = Value{kind: kindOf(content), content: content}
	return nil
}

func kindOf(content any) Kind {
	switch content.(type) {
	case nil:
		return NullKind
	case string:
		return StringKind
	case float64:
		return NumberKind
	case bool:
		return BoolKind
	case []any:
		return ArrayKind
	}
	return ObjectKind
}
