//go:build !unix

package sight

// cpuSeconds is 0 where it is not known: then slots alone show how busy the process is.
func cpuSeconds() float64 { return 0 }
