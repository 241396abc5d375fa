package status

import "time"

// Store is how the store of trade status does.
type Store struct {
	Open    bool
	Bytes   int64     // on disk
	Waiting int       // committed changes that the disk has not taken yet
	Failing bool      // it cannot be opened, or the disk refused the last write of a partition
	Emptied time.Time // when it was emptied, because its files could not be used; zero: they could
}

// Store says how the store does. It never waits for the disk.
func (p *Pipeline) Store() Store {
	out := Store{Failing: p.unopened.Load()}
	if s := p.store.Load(); s != nil {
		out.Open, out.Bytes = true, s.Size()
		if s.Emptied() {
			out.Emptied = p.opened
		}
	}
	for _, part := range p.assigned() {
		out.Waiting += int(part.waiting.Load())
		out.Failing = out.Failing || part.refused.Load()
	}
	return out
}
