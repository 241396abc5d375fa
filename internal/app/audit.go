package app

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/audit/standing"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/metrics"
	"alipay-kafka-bridge/internal/order"
)

// newAudit returns the audit of all groups of the process, or nil if the settings want none.
func (s *Service) newAudit() *standing.Audit {
	if s.cfg.Delivery.AuditEvery == 0 || len(s.pipelines) == 0 {
		return nil
	}
	o := auditOptions(s.cfg, s.engine.Client, s.codec, s.o)
	if len(o.Groups) == 0 {
		return nil
	}
	o.Mine = s.audits
	return standing.New(o, s.countAudit)
}

// Audit audits the events of all groups of the settings that were produced since a time. It returns what was
// lost, at most a thousand runs of it.
func Audit(ctx context.Context, cfg config.Config, o Options, since time.Time) (admin.Audit, []standing.Lost, error) {
	o = o.withDefaults()
	registry, err := OpenTopics(cfg, int(cfg.Delivery.MaxRecord), o)
	if err != nil {
		return admin.Audit{}, nil, err
	}
	defer registry.Close()
	engine, err := engineOptions(cfg, o)
	if err != nil {
		return admin.Audit{}, nil, err
	}
	report, lost, err := standing.Once(ctx, auditOptions(cfg, engine.Client, order.NewCodec(registry), o), since)
	return auditStatus(report), lost, err
}

func auditOptions(cfg config.Config, client []kgo.Opt, codec *order.Codec, o Options) standing.Options {
	out := OutputTopics(cfg.Topics)
	a := standing.Options{
		Client: client, Codec: codec, Every: cfg.Delivery.AuditEvery, Patient: 2 * cfg.Kafka.TransactionTimeout, Log: o.Log,
		Outputs: standing.Outputs{Results: out.Results, Journal: out.Journal, DeadLetters: slices.Sorted(maps.Values(out.DeadLetters))},
	}
	for _, kind := range pipelineKinds() {
		if topics := kind.topics(cfg.Topics); len(topics) > 0 && !kind.internal {
			a.Groups = append(a.Groups, standing.Group{Name: kind.group(cfg.Kafka), Topics: topics})
		}
	}
	return a
}

// audits reports whether this instance audits the group: it owns the first partition of the first topic.
func (s *Service) audits() bool {
	first := s.audit.First()
	return slices.ContainsFunc(s.pipelines[0].engine.Look(0).Partitions, func(p look.Partition) bool { return p.Topic == first && p.Partition == 0 })
}

func (s *Service) countAudit(t standing.Totals) {
	for end, n := range map[string]int64{
		"result": t.Results, "skip": t.Skips, "dead_letter": t.DeadLetters,
		"unaccounted": t.Unaccounted, "repeated": t.Repeated, "letter_missing": t.LettersMissing, "left_out": t.Unaudited,
	} {
		s.o.Metrics.Add(context.Background(), &metrics.AuditEvents, float64(n), end)
	}
}

// auditStatus is the audit as operators see it; zero: another instance audits, or none.
func (s *Service) auditStatus() admin.Audit {
	if s.audit == nil {
		return admin.Audit{}
	}
	r := s.audit.Report()
	return auditStatus(r)
}

func auditStatus(r standing.Report) admin.Audit {
	return admin.Audit{
		Since: r.Since, AsOf: r.AsOf, Events: r.Events(), Results: r.Results, Skips: r.Skips, DeadLetters: r.DeadLetters,
		Unaccounted: r.Unaccounted, Repeated: r.Repeated, LettersMissing: r.LettersMissing, LeftOut: r.Unaudited, Trouble: r.Trouble,
	}
}
