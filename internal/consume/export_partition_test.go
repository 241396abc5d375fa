package consume

import (
	"context"
	"sync"

	"alipay-kafka-bridge/internal/consume/look"
)

// States returns the name of each state of a partition.
func States() []string {
	var names []string
	for s := look.StateAssigned; s <= look.StateGone; s++ {
		names = append(names, s.String())
	}
	return names
}

// Change takes a partition from one state to another. It returns what the attempt panicked
// with, and whether the partition's handlings were ended by it.
func Change(from, to string) (panicked any, ended bool) {
	var mu sync.Mutex
	p := &partition{changed: sync.NewCond(&mu), idle: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	for s := look.StateAssigned; s <= look.StateGone; s++ {
		if s.String() == from {
			p.state = s
		}
	}
	defer func() {
		panicked, ended = recover(), p.ctx.Err() != nil
	}()
	for s := look.StateAssigned; s <= look.StateGone; s++ {
		if s.String() == to {
			p.become(s)
		}
	}
	return nil, false
}
