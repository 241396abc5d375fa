package consume

import (
	"fmt"
	"slices"
)

// partitionState is where one assignment of a partition is between its first and its last
// moment. [partitionState.next] is the table of allowed transitions.
type partitionState uint8

const (
	stateAssigned  partitionState = iota // the group gave it to us; its committed position is not known yet
	stateRestoring                       // has a position and a window; Options.Assigned has not returned nil yet
	stateOpen                            // is read and handled
	stateDraining                        // is being given up: nothing starts; running handlings end and are settled
	stateStopped                         // an operator has to decide: nothing is read or settled, the offsets are held
	stateGone                            // given up: whatever still arrives for it is discarded
)

// next lists the states that may follow s.
func (s partitionState) next() []partitionState {
	switch s {
	case stateAssigned:
		return []partitionState{stateRestoring, stateStopped, stateGone} // gone: nothing was read, nothing has to be settled
	case stateRestoring:
		return []partitionState{stateOpen, stateDraining, stateStopped}
	case stateOpen:
		return []partitionState{stateDraining, stateStopped}
	case stateDraining:
		return []partitionState{stateGone, stateStopped}
	case stateStopped:
		return []partitionState{stateGone}
	}
	return nil // gone is final
}

// ending reports whether nothing of the partition may start any more.
func (s partitionState) ending() bool { return s >= stateDraining }

// settles reports whether outcomes of the partition are accepted and settled. Such a partition
// has a window.
func (s partitionState) settles() bool {
	return s == stateRestoring || s == stateOpen || s == stateDraining
}

func (s partitionState) String() string {
	names := [...]string{"assigned", "restoring", "open", "draining", "stopped", "gone"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// become changes the state. Called under Engine.mu.
func (p *partition) become(s partitionState) {
	if !slices.Contains(p.state.next(), s) {
		panic(fmt.Sprintf("consume: partition %s cannot change from %s to %s", p.TopicPartition, p.state, s))
	}
	starting := !p.state.ending()
	p.state = s
	if starting && s.ending() {
		p.cancel()
		if p.running == 0 {
			close(p.idle)
		}
	}
	p.changed.Broadcast()
}
