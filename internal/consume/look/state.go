package look

import "fmt"

// State is where one assignment of a partition is between its first and its last
// moment. [State.Next] is the table of allowed transitions.
type State uint8

// The states.
const (
	StateAssigned  State = iota // the group gave it to us; its committed position is not known yet
	StateRestoring              // has a position and a window; the hook Assigned has not returned nil yet
	StateOpen                   // is read and handled
	StateDraining               // is being given up: nothing starts; running handlings end and are settled
	StateStopped                // an operator has to decide: nothing is read or settled, the offsets are held
	StateGone                   // given up: anything that still arrives for it is discarded
)

// Next lists the states that may follow s.
func (s State) Next() []State {
	switch s {
	case StateAssigned:
		return []State{StateRestoring, StateStopped, StateGone} // gone: nothing was read, nothing has to be settled
	case StateRestoring:
		return []State{StateOpen, StateDraining, StateStopped}
	case StateOpen:
		return []State{StateDraining, StateStopped}
	case StateDraining:
		return []State{StateGone, StateStopped}
	case StateStopped:
		return []State{StateGone}
	}
	return nil // gone is final
}

// Ending reports whether nothing of the partition may start any more.
func (s State) Ending() bool { return s >= StateDraining }

// Settles reports whether outcomes of the partition are accepted and settled. Such a partition
// has a window.
func (s State) Settles() bool {
	return s == StateRestoring || s == StateOpen || s == StateDraining
}

func (s State) String() string {
	names := [...]string{"assigned", "restoring", "open", "draining", "stopped", "gone"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}
