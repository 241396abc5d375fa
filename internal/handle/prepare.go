package handle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/order"
)

// Prepare finds a record's lane. It is a [PrepareFunc].
func (h *Handler) Prepare(ctx context.Context, in consume.Input) (consume.Task, error) {
	if in.Value == nil {
		return consume.Task{Key: "tombstone/" + string(in.Key), Handle: func(ctx context.Context, in consume.Input) (consume.Outcome, error) {
			ctx, span := h.startSpan(ctx, &handling{in: in, tally: &tally{}})
			defer span.End()
			spanSkip(ctx, reasonTombstone)
			return consume.Outcome{Skip: reasonTombstone, Note: End{Produced: in.Timestamp}}, nil
		}}, nil
	}
	head, err := h.o.Codec.EventHead(ctx, in.Topic, in.Value)
	if reason, final := order.IsUndecodable(err); final {
		return consume.Task{Key: "undecodable/" + string(in.Key), Handle: func(ctx context.Context, in consume.Input) (consume.Outcome, error) {
			e := &handling{in: in, tally: &tally{}}
			ctx, span := h.startSpan(ctx, e)
			out, err := h.refuse(ctx, in, h.origin(in), reason, err)
			endSpan(span, e, err)
			return out, err
		}}, nil
	}
	if err != nil {
		return consume.Task{}, fmt.Errorf("decode event: %w", err)
	}
	t := h.permissions.Load()
	name := t.nameOf(in.Topic, head.Account)
	if string(in.Key) != string(head.OrderNo) {
		h.o.Log.DebugContext(ctx, "record key is not the order number", "topic", in.Topic, "partition", in.Partition, "offset", in.Offset)
	}
	task := consume.Task{Key: laneKey(name, head.OrderNo), Needs: needs(head.Values, len(in.Value))}
	var method alipay.Method
	if account, reason := t.account(in.Topic, name); reason == "" {
		if h.floods.over(task.Key, in.Record, h.o.Now()) {
			task.Handle = func(_ context.Context, in consume.Input) (consume.Outcome, error) {
				return h.Refuse(in, reasonKeyFlood, errFlood), nil
			}
			return task, nil
		}
		task.Owner = string(name)
		action := account.Planner.Action(head.Type, head.Channel)
		task.Pool, method = consume.Pool{App: account.App, Method: string(action)}, action.Method()
	}
	made := &tally{prepared: h.o.Now(), shown: shown{account: name, orderNo: strings.TrimPrefix(task.Key, string(name)+"/"), method: method}}
	task.Facts = made.facts
	var e *handling // made when it is begun: thousands wait in lanes
	task.Handle = func(ctx context.Context, in consume.Input) (consume.Outcome, error) {
		if e == nil {
			e = &handling{tally: made}
		}
		e.in = in
		out, err := h.begin(ctx, e, name)
		if err != nil {
			e.wait()
		}
		return out, err
	}
	task.Refuse = func(in consume.Input, reason string, err error) consume.Outcome {
		return h.refuseAfter(in, made, reason, err)
	}
	return task, nil
}

// needs is about how many bytes a handling holds apart from its record: the event and its request, of
// which each value has a place even where the record spends half a byte on it, and free texts with
// all their names. An ordinary event needs nothing worth counting.
func needs(values, size int) int {
	const ordinaryValues, ordinarySize = 500, 32 << 10
	return 48*max(values-ordinaryValues, 0) + 4*max(size-ordinarySize, 0)
}

// laneKey is the lane of an order. A long one is hashed: lanes, floods and newest events keep it.
func laneKey(account order.Account, no alipay.OutTradeNo) string {
	const most = 128
	if len(account)+len(no) <= most {
		return string(account) + "/" + string(no)
	}
	sum := sha256.Sum256([]byte(string(account) + "/" + string(no)))
	return "sha256:" + hex.EncodeToString(sum[:])
}
