//go:build integration

package integration_test

import (
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/simulator"
)

// TestAlerts: each alert is fired by its drill and by nothing else, in a real Prometheus that scrapes a
// running bridge, and Alertmanager holds back what another alert explains.
func TestAlerts(t *testing.T) {
	t.Parallel()
	needPrometheus(t)
	var drills sync.WaitGroup // they wait most of the time: all at once, also with one processor
	for name, drill := range map[string]func(*testing.T){"alipay": drillAlipay, "kafka": drillKafka, "process": drillProcess} {
		drills.Go(func() { t.Run(name, drill) })
	}
	drills.Wait()
	if !t.Failed() {
		t.Run("labels", checkLabels)
	}
}

// undrilled are alerts that no drill fires, because that takes too long or needs a defect; promtool has their cases
// (alerts_test.yaml). BridgeStalled needs a defect of the bridge, and a minute in which it finishes nothing;
// BridgeTooFewInstances needs half an hour; BridgeRetentionNear needs an event that waits for five minutes.
// BridgeNotificationsSilent needs hours with payments, BridgeOrderHeld an order that waits for hours, and
// BridgeStatusStore a disk that fails. BridgeHotKey needs an order with work for 10 minutes,
// BridgeNewOrders a day of orders, BridgeRebalances a group that changes for 10 minutes, and BridgeDeadLetterRefused a topic
// that is refused for 5.
var undrilled = map[string]bool{
	"BridgeStalled": true, "BridgeRetentionNear": true, "BridgeTooFewInstances": true, "BridgeNotificationsSilent": true, "BridgeOrderHeld": true, "BridgeStatusStore": true,
	"BridgeHotKey": true, "BridgeNewOrders": true, "BridgeRebalances": true, "BridgeDeadLetterRefused": true,
}

// untilFires bounds how long an alert may take: the longest has to wait for half a minute, and the machine may be busy.
const untilFires = 5 * time.Minute

// drillAlipay: Alipay fails in different ways for different apps.
func drillAlipay(t *testing.T) {
	s := newScene(t, []string{"a"}, []string{"events"}, []string{"hk", "partner", "keys", "clock", "busy", "doubt"}, map[string]string{
		"hk":    ", retry: {back_off_max: 2s}, breaker: {consecutive: 5, open: 500ms, half_open: 1, ramp: 1s}",
		"keys":  ", retry: {back_off_max: 2s, not_found_pause: 500ms}, breaker: {open: 1s}",
		"busy":  ", retry: {throttled_back_off_max: 1s}, breaker: {ratio: 0.95, consecutive: 100}",
		"doubt": ", retry: {throttled_back_off: 5s, throttled_back_off_max: 10s}",
	})
	p := s.bridge("a")
	s.watch("a")
	for _, app := range []string{"hk", "partner", "keys", "clock", "doubt"} {
		s.flow(app, 1500*time.Millisecond, 0)
	}
	s.flow("busy", 150*time.Millisecond, 0)

	defer s.note()
	s.scraped(s.port["a"], 60, untilFires)
	s.fires("at rest", 0)

	s.sim.AddFault(simulator.Unavailable(simulator.HKOrderSync).Always())
	token := filepath.Join(s.dir, "partner-token")
	s.replace(token, []byte("expired-token"))
	must(t, p.cmd.Process.Signal(syscall.SIGHUP))
	s.sim.AddFault(simulator.WrongKey("").App(s.apps["keys"].App.ID).Always())
	s.sim.AddFault(simulator.Skewed(simulator.TradeCreate, 90*time.Second).App(s.apps["clock"].App.ID).Always())
	s.sim.AddFault(simulator.Throttled(simulator.TradeCreate).App(s.apps["busy"].App.ID).Probability(0.4))
	s.sim.AddFault(simulator.CutAfter(simulator.TradeCreate).Order("doubtLOST"))
	s.sim.AddFault(simulator.Throttled(simulator.TradeQuery).App(s.apps["doubt"].App.ID).Always())
	s.produce("events", 0, event("doubt", "LOST"), time.Now())
	s.fires("Alipay fails", untilFires,
		"BridgeProviderDown critical alipay app=hk method=alipayhk.merchant.order.sync",
		"- BridgeProviderDown warning alipay app=hk method=alipayhk.merchant.order.sync",
		"- BridgeProviderErrors warning alipay app=hk class=transient method=alipayhk.merchant.order.sync",
		"- BridgeOldestWaiting critical alipay account=shop-hk app=hk",
		"BridgeAccountStopped critical merchant account=shop-partner app=partner reason=misconfigured",
		"- BridgeOldestWaiting critical merchant account=shop-partner app=partner cause=person",
		"BridgeUntrustedAnswer critical alipay app=keys",
		"- BridgeUntrustedAnswer warning alipay app=keys method=alipay.trade.create",
		"- BridgeUntrustedAnswer warning alipay app=keys method=alipay.trade.query",
		"BridgeUnknownOutcome critical alipay account=shop-keys method=alipay.trade.create",
		"- BridgeOldestWaiting critical alipay account=shop-keys app=keys",
		"BridgeClockSkew warning bridge "+s.instance("a"),
		"BridgeProviderErrors warning alipay app=busy class=throttled method=alipay.trade.create",
		"BridgeUnknownOutcome critical alipay account=shop-doubt method=alipay.trade.create",
		"BridgeOldestWaiting critical alipay account=shop-doubt app=doubt",
	)

	s.sim.ClearFaults()
	s.replace(token, []byte(renewedToken))
	must(t, p.cmd.Process.Signal(syscall.SIGHUP))
	s.quiet(untilFires)
	s.scraped(s.port["a"], 10, untilFires)
	s.fires("everything is corrected", 0)

	s.repeatResult()
	s.strangers("a", "busy")
	s.fires("a result twice, and what strangers send", untilFires,
		"BridgeUnaccounted critical bridge end=repeated",
		"BridgeObservationsRefused critical kafka reason=undecodable",
		"BridgeStatusAnomaly warning producer account=shop-busy kind=not_created",
		"BridgeNotificationsRefused warning merchant account=shop-busy verdict=forged",
	)
	p.stop(t)
}
