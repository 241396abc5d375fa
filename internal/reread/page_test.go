package reread_test

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Pages lead through a partition without leaving out a record, also where a batch is larger than a page.
func TestPagesLeaveNothingOut(t *testing.T) {
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
			page, err := r.reader.Page(t.Context(), at)
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
