package status

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume"
)

// A merge that cannot be published leaves the one before it, which is not settled yet: no version is made twice.
func TestRollBackKeepsWhatIsNotSettled(t *testing.T) {
	part := &partition{overlay: map[string]*merge{}}
	newest := func() int64 {
		if m := part.overlay["shop/1"]; m != nil {
			return m.offset
		}
		return -1
	}
	in := func(offset int64) consume.Input {
		return consume.Input{Record: &kgo.Record{Key: []byte("shop/1"), Offset: offset}}
	}
	merges := make([]*merge, 5)
	for i := range merges {
		merges[i] = &merge{key: "shop/1", offset: int64(i)}
	}
	part.add(merges[0])
	part.add(merges[1])
	part.rollBack(in(1))
	if newest() != 0 {
		t.Fatalf("the newest is of offset %d, want that before the refused one", newest())
	}
	part.add(merges[2])
	part.add(merges[3])
	if part.rollBack(in(2)); newest() != 3 {
		t.Errorf("the newest is of offset %d, want the one that is built on the refused one", newest())
	}
	if part.rollBack(in(3)); newest() != 0 {
		t.Errorf("the newest is of offset %d, want the last that is not refused", newest())
	}
	part.add(merges[4])
	merges[0].written = true // and gone from memory, because the disk has it
	if part.rollBack(in(4)); newest() != -1 {
		t.Errorf("the newest is of offset %d, want none: the disk has it", newest())
	}
}
