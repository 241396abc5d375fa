package produce

import "github.com/twmb/franz-go/pkg/kgo"

// Answers is what became of a batch whose records were answered so, one after another.
func Answers(records []*kgo.Record, errs ...error) error {
	b := sending{answered: make([]bool, len(records))}
	for i, err := range errs {
		b.answer(i, records[i], records[i], err)
	}
	return b.err(records, nil)
}
