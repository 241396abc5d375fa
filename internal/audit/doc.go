// Package audit proves from topics alone what became of events. It reads them as any consumer would.
package audit
