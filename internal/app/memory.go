package app

import (
	"os"
	"runtime/debug"

	"alipay-kafka-bridge/internal/config"
)

// Shares of the soft memory limit.
const (
	memoryBase    = 56 << 20 // code, clients, codecs, scratch and fetches; what is decoded at once, or long answers, take the same place
	memoryStore   = 8 << 20  // a quarter of the store of trade status: the image is built without cgo, so that the collector counts it
	memoryPerCall = 96 << 10 // one call in flight and the two handlings that wait for its slot
)

// maxBytes is how many bytes of records a pipeline may hold.
func (k pipelineKind) maxBytes(d config.Delivery) int {
	if k.eighths > 0 {
		return int(max(d.MaxBytes/8*config.Bytes(k.eighths), d.MaxRecord))
	}
	return int(d.MaxBytes)
}

// LimitMemory makes the garbage collector work harder rather than let the process grow past
// what it needs: the records that its engines may hold, and a share for each call.
// GOMEMLIMIT in the environment wins.
func LimitMemory(c config.Config) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	limit := memoryBase
	for _, kind := range pipelineKinds() {
		limit += kind.maxBytes(c.Delivery)
	}
	if c.Topics.Observations != "" {
		limit += memoryStore
	}
	for _, a := range c.Apps {
		limit += memoryPerCall * inFlight(a)
	}
	debug.SetMemoryLimit(int64(limit))
}
