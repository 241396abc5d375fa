package consume

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/consume/pause"
)

// watchEvery is how often the input topics are looked at: whether they still are the ones that the
// positions belong to.
const watchEvery = 10 * time.Second

// watchTopics looks after input topics that are deleted or created again, until the session ends.
func (e *Engine) watchTopics(ctx context.Context, cl *kgo.Client) {
	for first := true; pause.Sleep(ctx, watchEvery); first = false {
		if first && e.Stats().Partitions == 0 {
			e.o.Log.InfoContext(ctx, "no partition is assigned yet; a member that ended without leaving is waited for until its session ends", "group", e.o.Group)
		}
		m, err := kadm.NewClient(cl).Metadata(ctx, e.o.Topics...)
		if err != nil {
			continue // the fetches report it
		}
		for _, topic := range e.o.Topics {
			t, ok := m.Topics[topic]
			if ok && t.Err != nil && !errors.Is(t.Err, kerr.UnknownTopicOrPartition) {
				continue // not known now
			}
			if err := e.names.Doubt(ctx, cl, map[string][16]byte{topic: t.ID}); err != nil {
				e.o.Log.WarnContext(ctx, "metadata is not believed yet", "group", e.o.Group, "topic", topic, "error", err)
				continue
			}
			e.lookAt(topic, ok && t.Err == nil, t.ID)
		}
	}
}

// goneLooks is how often in a row a topic must be missing to count as deleted.
const goneLooks = 3

// topicIsBack undoes what was done for a topic that seemed to be gone. It reports whether a partition could not be read
// since. Called under mu.
func (e *Engine) topicIsBack(topic string) (absent bool) {
	for tp, p := range e.parts {
		if tp.Topic != topic {
			continue
		}
		if p.orphan && p.state.Settles() { // outcomes were published without their offset
			p.startDue = true
			p.entries = append(p.entries, Skipped{p.Topic, p.Partition, p.win.Next(), ReasonFoundAgain})
		}
		absent = absent || p.absent
		p.absent, p.orphan = false, false
	}
	e.flow()
	return absent
}

// lookAt compares a topic with the one that this process reads. The positions of a topic that is gone cannot be
// committed any more: outcomes that are finished are published without them. For a topic that was
// created again a new session begins, and reads it from its start.
func (e *Engine) lookAt(topic string, exists bool, id [16]byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	was, known := e.names.Last(topic)
	if !known {
		return
	}
	same := exists && (id == was || id == [16]byte{} || was == [16]byte{}) // without ids, only records differ
	if e.gone[topic]++; same {
		if !e.topicIsBack(topic) {
			e.gone[topic] = 0
		} else if e.gone[topic] == goneLooks { // the client has the id of another topic, and never asks for a new one
			e.gone[topic] = 0
			e.o.Log.Warn("partitions of an input topic are not known to their brokers; reading begins again", "group", e.o.Group, "topic", topic)
			e.session.cancel(errBeginAgain)
		}
		return
	}
	if !exists && e.gone[topic] < goneLooks {
		return // a broker that has just started may not know it yet
	}
	gone := 0
	for tp, p := range e.parts {
		if tp.Topic == topic && !p.orphan {
			p.orphan = true
			gone++
		}
	}
	if gone > 0 {
		e.o.Log.Error("input topic was deleted; what is finished of it is published, the rest is lost with it", "group", e.o.Group, "topic", topic, "partitions", gone)
	}
	if exists {
		e.o.Log.Warn("input topic was created again; it is read from its start", "group", e.o.Group, "topic", topic)
		e.names.Begin(topic, id)
		e.session.cancel(errBeginAgain)
	}
}

// fetchError logs an error of reading. kgo goes on by itself, except where the position does
// not exist or a batch is larger than it accepts.
func (e *Engine) fetchError(ctx context.Context, tp TopicPartition, err error) {
	if ctx.Err() != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var lost *kgo.ErrDataLoss
	var bomb *kgo.ErrDecompressTooLarge
	p := e.parts[tp]
	switch {
	case p == nil || p.state == look.StateStopped || p.state == look.StateGone:
	case errors.Is(err, kerr.OffsetOutOfRange), errors.As(err, &lost):
		e.stop(p, "its position does not exist in the topic any more; find out who deleted records or the topic, then restart", "error", err)
		return
	case errors.As(err, &bomb):
		e.stop(p, "a compressed batch is larger than the bridge accepts", "error", err)
		return
	}
	if p != nil && (errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID) || errors.Is(err, kerr.InconsistentTopicID)) {
		p.absent = true // kgo asks again without a pause: thousands of times a second
		e.flow()
	}
	if e.fetchTroubles.Failed(tp) {
		e.o.Log.WarnContext(ctx, "fetch failed; trying again", "group", e.o.Group, "topic", tp.Topic, "partition", tp.Partition, "error", err)
	}
}

// fetchesWork ends the troubles of partitions that were read, and of those without an error for a
// while. Called under mu.
func (e *Engine) fetchesWork(read map[TopicPartition]bool) {
	gone := func(tp TopicPartition) bool { return e.parts[tp] == nil && tp.Topic != "" }
	e.fetchTroubles.End(gone, func(tp TopicPartition) bool { return read[tp] }, func(tp TopicPartition, failed int, lasted time.Duration) {
		e.o.Log.Info("fetch works again", "group", e.o.Group, "topic", tp.Topic, "partition", tp.Partition, "failed", failed, "for", lasted)
	})
}
