// Package snowplow stands in for the sender of usage data. None can be made, so none is sent.
package snowplow

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"gitlab.com/gitlab-org/labkit/v2/events/snowplow/metrics"
	"gitlab.com/gitlab-org/labkit/v2/events/snowplow/oidc"
)

var errNone = errors.New("this build sends no usage data")

// What the runner names of the sender.
type (
	SendResult struct {
		EventCount, StatusCode int
		Err                    error
	}
	SendCallback  func(successes, failures []SendResult)
	EmitterOption func()
	Emitter       struct{}
	Tracker       struct{}

	BillingEventRequiredInput struct {
		Category, EventType, Realm, UnitOfMeasure string
		Quantity                                  float64
	}
	BillingEventOptionalInput struct {
		Subject, DeploymentType, InstanceID, UniqueInstanceID   string
		ProjectID, NamespaceID, RootNamespaceID, OrganizationID int64
		Metadata                                                map[string]any
	}
)

// The options change nothing.
func WithCallback(SendCallback) EmitterOption                              { return nil }
func WithTokenSource(*oidc.Source) EmitterOption                           { return nil }
func WithMetricsCollectorOptions(...metrics.CollectorOption) EmitterOption { return nil }

// NewEmitter and NewTracker refuse.
func NewEmitter(string, ...EmitterOption) (*Emitter, error) { return nil, errNone }
func NewTracker(string, *Emitter) (*Tracker, error)         { return nil, errNone }

// The rest is for an emitter and a tracker that are never made.
func (*Emitter) Collector() prometheus.Collector { return nil }
func (*Tracker) Stop()                           {}
func (*Tracker) TrackBillingEventWithOptionalInput(BillingEventRequiredInput, BillingEventOptionalInput) error {
	return errNone
}
