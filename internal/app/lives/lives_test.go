// Package lives_test lets seeded buyers live with the whole bridge: calls, queries, sweep, trade status and the receiver
// of notifications, with only Kafka and Alipay as fakes. What is promised is read from outside.
package lives_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/outbox"
)

const (
	ordersPerRun = 40
	defaultRuns  = 4
)

// life is what one order's seed makes of it.
type life struct {
	no      string
	account string
	steps   []simulator.Step
	wrong   simulator.Act // of a payment that the order did not ask for; empty: there is none
	faults  []outbox.Fault
	created time.Duration // after the begin of the run
}

// Scripts of buyers. Amounts are in fen; each order is of 8.88.
var scripts = [][]simulator.Step{
	{{Do: simulator.ActPay}},
	{{Do: simulator.ActPay}, {Do: simulator.ActFinish}},
	{{Do: simulator.ActPay}, {Do: simulator.ActRefund, Amount: 100}},
	{{Do: simulator.ActPay}, {Do: simulator.ActRefund, Amount: 100}, {Do: simulator.ActRefund, Amount: 200}, {Do: simulator.ActRefund}},
	{{Do: simulator.ActPay}, {Do: simulator.ActRefund}},
	{{Do: simulator.ActPay}, {Do: simulator.ActRefund, Amount: 300}, {Do: simulator.ActFinish}},
	{{Do: simulator.ActFinish}},
	{{Do: simulator.ActClose}},
	{{Do: simulator.ActNothing}},
}

// Payments that an order did not ask for (security N6).
var wrongPayments = []simulator.Step{
	{Do: simulator.ActPay, Amount: 1},
	{Do: simulator.ActPay, Currency: "HKD"},
	{Do: simulator.ActPay, Seller: "2088000000000666"},
	{Do: simulator.ActPaySecond},
	{Do: simulator.ActForeign},
}

// newLife reads an order's script and its faults off its own seed.
func newLife(run, i uint64, off bool) life {
	rnd := rand.New(rand.NewPCG(run*1000+i, 5))
	l := life{no: fmt.Sprintf("L%03d_%02d", run, i), account: "shop", created: time.Duration(rnd.IntN(60)) * time.Second}
	if rnd.IntN(2) == 0 {
		l.account = "other"
	}
	pause := func() time.Duration {
		return time.Duration(rnd.IntN(4)*rnd.IntN(40)) * time.Second / 4 // often at once, so that it overtakes the create's result
	}
	if rnd.IntN(5) == 0 {
		step := wrongPayments[rnd.IntN(len(wrongPayments))]
		l.wrong = step.Do
		if step.Seller != "" && off {
			step = wrongPayments[0] // a query does not show the seller
		}
		if step.Seller != "" {
			l.wrong, l.account = "seller", "other" // the receiver refuses another seller than the settings name
			step.After = 2 * time.Second
			l.steps = []simulator.Step{step}
			return l // the notification has to come before a query, which does not show the seller
		}
		step.After = pause()
		l.steps = []simulator.Step{step}
	} else {
		l.steps = append(l.steps, scripts[rnd.IntN(len(scripts))]...)
		for j := range l.steps {
			l.steps[j].After = pause()
		}
	}
	for _, f := range []struct {
		share float64
		fault outbox.Fault
	}{
		{0.3, outbox.Fault{Kind: outbox.Doubled, Always: true, Delay: 20 * time.Second}},
		{0.25, outbox.Fault{Kind: outbox.Reordered, Delay: 2 * time.Minute}},
		{0.2, outbox.Fault{Kind: outbox.Lost, Always: true}},
		{0.2, outbox.Fault{Kind: outbox.Lost, Probability: 0.5}},
		{0.15, outbox.Fault{Kind: outbox.Late, Probability: 0.6}},
		{0.25, outbox.Fault{Kind: outbox.GBK, Always: true}},
	} {
		if rnd.Float64() < f.share {
			f.fault.Order = l.no
			l.faults = append(l.faults, f.fault)
		}
	}
	return l
}

// runs are those of TestLives: the first ones (-short: one), or those of BRIDGE_SEEDS, "25" for the first 25, which are a thousand
// lives, and "17-17" for one that failed.
func runs(t *testing.T) (from, to uint64) {
	t.Helper()
	text := os.Getenv("BRIDGE_SEEDS")
	if text == "" && testing.Short() {
		return 0, 1
	}
	if text == "" {
		return 0, defaultRuns
	}
	first, last, isRange := strings.Cut(text, "-")
	from, err := strconv.ParseUint(first, 10, 32)
	apptest.NoError(t, err)
	if !isRange {
		return 0, from
	}
	to, err = strconv.ParseUint(last, 10, 32)
	apptest.NoError(t, err)
	return from, to + 1
}

// TestLives: whatever becomes of the notifications, of the process and of its disk, the status of each order has the
// versions 1, 2, 3, ... and ends as Alipay's trade did; and no wrong payment ever looks like a right one.
func TestLives(t *testing.T) {
	from, to := runs(t)
	for run := from; run < to; run++ {
		t.Run(fmt.Sprint("seed ", run), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, run)
				w.live()
				w.check()
			})
		})
	}
}
