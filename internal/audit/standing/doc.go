// Package standing audits a running group all the time: it compares the offsets that the group has committed
// with the results, the journal and the dead letters that are visible, as any consumer would read them. An
// event below a committed offset without an outcome is lost; nothing else of the bridge would show it.
package standing
