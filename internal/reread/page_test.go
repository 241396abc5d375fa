package reread_test

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/reread"
)

// Pages lead through a partition without leaving out a record, also where a batch is larger than a page; so do visits,
// which show no more at once.
func TestPagesLeaveNothingOut(t *testing.T) {
	t.Run("pages", func(t *testing.T) {
		readAll(t, func(t *testing.T, r *rig, at reread.Place) (reread.Page, error) {
			return r.reader.Page(t.Context(), at)
		})
	})
	t.Run("visits", func(t *testing.T) {
		readAll(t, func(t *testing.T, r *rig, at reread.Place) (reread.Page, error) {
			size := 0
			var seen []*kgo.Record
			page, err := r.reader.Visit(t.Context(), at, func(rec *kgo.Record) {
				size += reread.Size(rec)
				seen = append(seen, reread.Copy(rec))
			})
			if size > 1<<20 || len(page.Records) > 0 {
				t.Errorf("%d bytes are shown at once, and %d records are returned", size, len(page.Records))
			}
			page.Records = seen
			return page, err
		})
	})
}

func readAll(t *testing.T, read func(*testing.T, *rig, reread.Place) (reread.Page, error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var big []*kgo.Record
		for range 5 {
			big = append(big, &kgo.Record{Topic: "in", Partition: 1, Value: bytes.Repeat([]byte("x"), 300<<10)})
		}
		must(t, r.client.ProduceSync(t.Context(), big...).FirstErr())
		seen := int64(0)
		pages := 0
		for at := r.at; ; pages++ {
			page, err := read(t, r, at)
			must(t, err)
			for _, rec := range page.Records {
				if rec.Offset != seen {
					t.Fatalf("offset %d after %d", rec.Offset, seen)
				}
				seen++
			}
			if page.Next == at.Offset {
				if page.Stable != 55 {
					t.Errorf("stable %d", page.Stable)
				}
				break
			}
			at.Offset = page.Next
		}
		if seen != 55 || pages < 2 {
			t.Errorf("%d records in %d pages, want 55 in some", seen, pages)
		}
	})
}
