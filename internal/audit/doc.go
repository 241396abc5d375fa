// Package audit proves from topics alone what happened to events. It reads them as any consumer would.
package audit
