// Package metrics has the options of the metrics of a sender that is never made.
package metrics

// CollectorOption changes nothing.
type CollectorOption func()

// Both options change nothing.
func WithCollectorNamespace(string) CollectorOption                       { return nil }
func WithCollectorBatchDeliveryDurationBuckets([]float64) CollectorOption { return nil }
