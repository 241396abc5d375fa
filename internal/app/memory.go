package app

import (
	"os"
	"runtime/debug"
)

// Shares of the soft memory limit.
const (
	memoryBase    = 84 << 20  // code, clients, codecs, and fetches: their scratch counts though it is hardly touched
	memoryPerCall = 128 << 10 // one call in flight and the two handlings that wait for its slot
)

// LimitMemory makes the garbage collector work harder rather than let the process grow past
// what it needs: the records that its two engines may hold, and something per call.
// GOMEMLIMIT in the environment wins.
func LimitMemory(maxBytes, inFlight int) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(2*maxBytes + memoryBase + memoryPerCall*inFlight))
	}
}
