package reread

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Page is a piece of a partition.
type Page struct {
	Records []*kgo.Record // the committed ones, not shared
	Next    int64         // where the next page begins: Records are all that there are below it
	Stable  int64         // the last stable offset: nothing at or above it is read yet
}

// Page returns the piece of a partition that begins at a place, whether or not there is a record: about 256
// KiB, or of one batch up to 1 MiB. Markers of transactions and aborted records are passed. A page whose Next is
// its own begin is empty: the partition has nothing stable there yet. It returns [ErrGone] where the place is
// below the log start, or the topic is another one of the same name.
func (r *Reader) Page(ctx context.Context, at Place) (Page, error) {
	return r.page(ctx, at, copies)
}

// Visit is Page, but calls see with each record and returns none. It saves a copy: see must keep nothing of the record,
// and must not wait, because others read after it.
func (r *Reader) Visit(ctx context.Context, at Place, see func(*kgo.Record)) (Page, error) {
	return r.page(ctx, at, func(lent []*kgo.Record) []*kgo.Record {
		for _, rec := range lent {
			see(rec)
		}
		return nil
	})
}

func (r *Reader) page(ctx context.Context, at Place, take taker) (Page, error) {
	p, err := r.fetch(ctx, at)
	if err != nil {
		return Page{}, err
	}
	f, err := r.records(ctx, at, p, take)
	if err != nil {
		return Page{}, err
	}
	if f.next == at.Offset && f.LastStableOffset > at.Offset {
		return Page{}, noBatch(at)
	}
	return Page{Records: f.Records, Next: f.next, Stable: f.LastStableOffset}, nil
}
