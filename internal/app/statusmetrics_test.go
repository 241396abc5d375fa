package app

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
)

// observe writes an observation, as another part of the bridge does.
func (w *world) observe(o order.Observation) {
	w.t.Helper()
	r, err := records.NewEncoder(w.codec, records.Topics{Observations: "trade-observations"}, nil).Observation(w.t.Context(), o)
	apptest.NoError(w.t, err)
	w.produce(r)
}

func (w *world) produce(r *kgo.Record) {
	w.t.Helper()
	cl, err := kgo.NewClient(w.kafka.ClientOptions()...)
	apptest.NoError(w.t, err)
	defer cl.Close()
	apptest.NoError(w.t, cl.ProduceSync(w.t.Context(), r).FirstErr())
}

// wantScrape waits for what is under way, and then wants lines in a scrape.
func (w *world) wantScrape(lines ...string) {
	w.t.Helper()
	time.Sleep(10 * time.Second)
	_, scrape := w.get("http://localhost:9464/metrics")
	for _, want := range lines {
		if !strings.Contains(scrape, want+"\n") {
			name, _, _ := strings.Cut(want, "{")
			var has []string
			for line := range strings.Lines(scrape) {
				if strings.HasPrefix(line, name) && !strings.HasSuffix(line, " 0\n") {
					has = append(has, line)
				}
			}
			w.t.Errorf("the scrape does not say %s, but\n%s", want, strings.Join(has, ""))
		}
	}
}

// TestMetricsOfTheSweep: a query of the sweep that shows a trade is no skip.
func TestMetricsOfTheSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.startKafka()
		p := w.start(notifySettings + "status: {folder: '" + filepath.Join(w.dir, "store") + "'}\n")
		time.Sleep(20 * time.Second)
		w.send("T1", "shop")
		w.wantResults("T1=APPLIED")
		time.Sleep(3 * time.Minute) // the sweep asks after two
		w.wantScrape(`bridge_events_total{end="snapshot",topic="bridge-sweep"} 1`, `bridge_events_total{end="skip",topic="bridge-sweep"} 0`, `bridge_events_total{end="result",topic="bridge-sweep"} 0`)
		p.stop()
		apptest.NoError(t, <-p.ended)
	})
}

// TestMetricsOfTradeStatus: notifications, changes, anomalies, payments and refused observations, before the first and
// after each. A payment is learned once, from what showed it first, also where the order is held.
func TestMetricsOfTradeStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.startKafka()
		p := w.start(strings.Replace(notifySettings, "shop: {", "shop: {new_orders_per_day: 7, ", 1) + "status: {folder: '" + filepath.Join(w.dir, "store") + "'}\n")
		time.Sleep(20 * time.Second)
		w.wantScrape(
			`bridge_status_new_orders_total{account="shop"} 0`, `bridge_status_new_orders_ceiling{account="shop"} 7`, `bridge_status_new_orders_ceiling{account="other"} 0`,
			`bridge_status_changes_total{account="shop",state="held"} 0`, `bridge_status_anomalies_total{account="shop",kind="amount_mismatch"} 0`,
			`bridge_status_anomalies_total{account="_other",kind="unresolved"} 0`, `bridge_payments_learned_total{account="shop",by="sweep"} 0`,
			`bridge_observations_refused_total{reason="not_sealed"} 0`, `bridge_notifications_total{account="shop",verdict="forged"} 0`,
			`bridge_notify_connections_refused_total{limit="address"} 0`, `bridge_notify_connections_limit 512`,
			`bridge_status_store_failing 0`, `bridge_status_store_waiting 0`, `bridge_partitions_restoring{pipeline="status"} 0`,
		)

		w.send("T1", "shop")
		w.wantResults("T1=APPLIED")
		for _, key := range []string{"genuine", "genuine", "forged"} {
			signer := apptest.PlatformKey()
			if key == "forged" {
				signer = apptest.LaterKey()
			}
			w.notify(notification(signer, "T1")) // of another amount
		}
		w.wantScrape(
			`bridge_notifications_total{account="shop",verdict="accepted"} 2`, `bridge_notifications_total{account="shop",verdict="forged"} 1`,
			`bridge_notification_duration_seconds_count{verdict="accepted"} 2`, `bridge_notify_connections 0`,
			`bridge_status_new_orders_total{account="shop"} 1`, `bridge_status_new_orders_total{account="other"} 0`,
			`bridge_status_changes_total{account="shop",state="pending"} 1`, `bridge_status_changes_total{account="shop",state="held"} 1`,
			`bridge_status_anomalies_total{account="shop",kind="amount_mismatch"} 1`, `bridge_payments_learned_total{account="shop",by="notification"} 1`, `bridge_status_orders{state="held"} 1`, `bridge_status_orders{state="unresolved"} 0`,
			`bridge_events_total{end="status",topic="trade-observations"} 2`, `bridge_events_total{end="skip",topic="trade-observations"} 1`,
		)

		if s := w.status(); len(s.Notifications) != 1 || s.Notifications[0].Taken != 2 || s.Notifications[0].Refused != 1 || s.Notifications[0].LastRefusal != "forged" || s.TradeStatus.Held != 1 || s.TradeStatus.Orders[0].OrderNo != "T1" || s.TradeStatus.Partitions != 2 || s.TradeStatus.StoreBytes == 0 {
			t.Errorf("%+v\n%+v", s.Notifications, s.TradeStatus)
		}
		if _, scrape := w.get("http://localhost:9464/metrics"); !strings.Contains(scrape, "\nbridge_status_oldest_seconds{account=\"shop\",state=\"held\"} 1") || strings.Contains(scrape, `bridge_status_oldest_seconds{account="shop",state="unresolved"}`) {
			t.Error("nothing says how long the order has been held")
		}
		accepted := order.Observation{Account: "shop", Environment: "simulator", Channel: order.ChannelTrade, OrderNo: "T1", Kind: order.Accepted, CauseID: "a person", ObservedAt: time.Now()}
		w.observe(accepted)
		w.wantScrape(
			`bridge_status_changes_total{account="shop",state="paid"} 1`, `bridge_status_new_orders_total{account="shop"} 1`,
			`bridge_payments_learned_total{account="shop",by="notification"} 1`, `bridge_payments_learned_total{account="shop",by="snapshot"} 0`, `bridge_payments_learned_total{account="shop",by="sweep"} 0`,
		)
		late := order.Observation{Account: "shop", Environment: "simulator", Channel: order.ChannelTrade, OrderNo: "T1", Kind: order.ObservedInNotification, AlipayStatus: string(alipay.TradeSuccess), Late: true, ObservedAt: time.Now()}
		w.observe(late)
		w.produce(&kgo.Record{Topic: "trade-observations", Key: []byte("shop/T1"), Value: []byte("no frame")})
		w.wantScrape(`bridge_observations_refused_total{reason="undecodable"} 1`, `bridge_events_total{end="query",topic="trade-observations"} 1`)
		if _, scrape := w.get("http://localhost:9464/metrics"); strings.Contains(scrape, `by="_other"`) || strings.Contains(scrape, "\nbridge_status_oldest_seconds") || !strings.Contains(scrape, "\nbridge_status_store_size_bytes ") || strings.Contains(scrape, "\nbridge_status_store_emptied") {
			t.Error("a payment is learned twice, or an order is still held, or the store has no size, or was emptied")
		}

		p.stop()
		apptest.NoError(t, <-p.ended)
		apptest.WriteSecret(t, filepath.Join(w.dir, "store"), "STORE", "another one's")
		p = w.start(notifySettings + "status: {folder: '" + filepath.Join(w.dir, "store") + "'}\n")
		time.Sleep(20 * time.Second)
		if _, scrape := w.get("http://localhost:9464/metrics"); !strings.Contains(scrape, "\nbridge_status_store_emptied_timestamp_seconds 1.7") {
			t.Error("nothing says that the store was emptied")
		}
		p.stop()
		apptest.NoError(t, <-p.ended)
	})
}
