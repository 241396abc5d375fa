package consume

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// readBack opens a new producer and drops every outcome that the transaction in doubt turns
// out to have committed. Nothing is called again. It reports whether the doubt is over. The
// caller holds settling.
func (e *Engine) readBack(ctx context.Context) bool {
	if err := e.commit.Recover(ctx); err != nil {
		e.settleFailed(ctx, err)
		return false
	}
	cl := e.currentSession().client
	found, err := e.fetchStable(ctx, cl)
	if err != nil {
		e.settleFailed(ctx, err)
		return false
	}
	known, ok := e.forgetCovered(cl, found)
	e.reportSettled(known)
	if ok {
		e.settler.inDoubt = false
	}
	return ok
}

// forgetCovered drops outcomes that the committed positions cover and returns them. It reports
// false when the membership they belong to is lost.
func (e *Engine) forgetCovered(cl *kgo.Client, found map[TopicPartition]committed) (known []Settlement, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	id, _ := cl.GroupMetadata()
	if id == "" || e.membershipLost(id) {
		return nil, false
	}
	for tp, c := range found {
		p := e.parts[tp]
		if p == nil || !p.state.settles() || c.offset < 0 {
			continue
		}
		pos, err := p.place.read(c.offset, c.text)
		if err != nil && c == p.firstCommitted {
			continue // nothing of ours was committed yet
		}
		if err != nil {
			e.stop(p, "its committed position was changed by someone else while we held it", "offset", c.offset)
			continue
		}
		covered := slices.DeleteFunc(p.finished(len(p.done)), func(o outcome) bool { return !pos.covers(o.it.in.Offset) })
		e.forget(p, offsets(covered))
		if len(covered) > 0 {
			known = append(known, settlement(p, pos.next, covered))
		}
	}
	return known, true
}

// fetchStable reads the committed offsets of held partitions once no transaction on them
// is pending.
func (e *Engine) fetchStable(ctx context.Context, cl *kgo.Client) (map[TopicPartition]committed, error) {
	req, names := e.stableRequest()
	for {
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return nil, err
		}
		if retry, err := offsetFetchError(resp); err != nil {
			return nil, err
		} else if !retry {
			return committedOf(resp, names), nil
		}
		if !sleep(ctx, 20*time.Millisecond) {
			return nil, context.Cause(ctx)
		}
	}
}

func (e *Engine) stableRequest() (*kmsg.OffsetFetchRequest, map[[16]byte]string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = e.o.Group
	g.MemberEpoch = -1
	names := map[[16]byte]string{}
	for _, p := range e.sorted() {
		if !p.state.settles() {
			continue
		}
		names[p.place.topicID] = p.Topic
		t := kmsg.NewOffsetFetchRequestGroupTopic()
		t.Topic, t.TopicID, t.Partitions = p.Topic, p.place.topicID, []int32{p.Partition}
		g.Topics = append(g.Topics, t)
	}
	req.Groups = append(req.Groups, g)
	return req, names
}

// offsetFetchError returns a final error of an answer, or whether to ask again.
func offsetFetchError(resp *kmsg.OffsetFetchResponse) (retry bool, err error) {
	codes := []int16{resp.ErrorCode}
	for _, g := range resp.Groups {
		codes = append(codes, g.ErrorCode)
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				codes = append(codes, p.ErrorCode)
			}
		}
	}
	for _, code := range codes {
		switch err := kerr.ErrorForCode(code); {
		case err == nil:
		case errors.Is(err, kerr.UnstableOffsetCommit), kerr.IsRetriable(err):
			retry = true
		default:
			return false, fmt.Errorf("read committed offsets back: %w", err)
		}
	}
	return retry, nil
}
