package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/app/apptest"
)

// cable connects a process to the brokers until it is cut.
type cable struct {
	dial DialFunc

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func (c *cable) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := c.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut { // also while it was dialled
		_ = conn.Close()
		return nil, errors.New("the cable is cut")
	}
	c.conns = append(c.conns, conn)
	return conn, nil
}

func (c *cable) set(cut bool) {
	c.mu.Lock()
	c.cut = cut
	conns := c.conns
	c.conns = nil
	c.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close()
	}
}

// TestReadinessFollowsTheBrokers: a process without brokers is not ready, after some time; there is one
// line for each pipeline when that begins, and one when it ends.
func TestReadinessFollowsTheBrokers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.startKafka()
		c := &cable{dial: w.network.DialContext}
		w.dial = c.DialContext
		p := w.start(lifeSettings)
		time.Sleep(30 * time.Second)
		if got := w.probe("/readyz"); got != 200 {
			t.Fatalf("at the beginning: %d\n%s", got, p.log.Take())
		}
		p.log.Take()
		c.set(true)
		time.Sleep(20 * time.Second)
		if got := w.probe("/readyz"); got != 200 {
			t.Errorf("20 s without brokers: %d", got)
		}
		time.Sleep(10 * time.Minute)
		if got, live := w.probe("/readyz"), w.probe("/livez"); got != 503 || live != 200 {
			t.Errorf("10 min without brokers: ready %d, live %d", got, live)
		}
		said := p.log.Take()
		if strings.Count(said, `pipeline=calls group=alipay-kafka-bridge reason="no broker answers`) != 1 || strings.Count(said, "ready=false") != 1 {
			t.Errorf("without brokers the log says\n%s", said)
		}
		c.set(false)
		time.Sleep(time.Minute)
		if got := w.probe("/readyz"); got != 200 {
			t.Errorf("with brokers again: %d", got)
		}
		if said := p.log.Take(); strings.Count(said, `can make progress again" pipeline=calls`) != 1 || strings.Count(said, "ready=true") != 1 {
			t.Errorf("with brokers again the log says\n%s", said)
		}
		w.send("o1", "shop")
		w.wantResults("o1=APPLIED")
		p.stop()
		apptest.NoError(t, <-p.ended)
		if said := p.log.Take(); strings.Contains(said, "could not be left") {
			t.Errorf("after an orderly stop the log says\n%s", said)
		}
	})
}

// TestReadinessFollowsTheProducer: a process whose producer cannot be opened publishes nothing.
func TestReadinessFollowsTheProducer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.startKafka()
		p := w.start(lifeSettings)
		time.Sleep(30 * time.Second)
		w.kafka.Kafka().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.UnknownServerError, Count: 1})
		w.kafka.Kafka().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, TxnID: "alipay-kafka-bridge-one", Err: kerr.CoordinatorNotAvailable, Count: -1})
		w.send("o1", "shop")
		time.Sleep(45 * time.Second)
		if got := w.probe("/readyz"); got != 200 {
			t.Errorf("45 s without a producer: %d\n%s", got, p.log.Take())
		}
		time.Sleep(2 * time.Minute)
		if got := w.probe("/readyz"); got != 503 {
			t.Errorf("165 s without a producer: %d\n%s", got, p.log.Take())
		}
		p.stop()
		apptest.NoError(t, <-p.ended)
	})
}

// TestReadinessOfStoppedPartitions: a process all of whose partitions wait for an operator is not ready.
func TestReadinessOfStoppedPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.startKafka()
		p := w.start(lifeSettings)
		time.Sleep(30 * time.Second)
		p.stop()
		apptest.NoError(t, <-p.ended)
		w.commitByHand("order-events", 0, 0)
		p = w.start(lifeSettings)
		time.Sleep(30 * time.Second)
		if got := w.probe("/readyz"); got != 200 {
			t.Errorf("with one of two partitions stopped: %d", got)
		}
		p.stop()
		apptest.NoError(t, <-p.ended)
		w.commitByHand("order-events", 1, 0)
		p = w.start(lifeSettings)
		time.Sleep(30 * time.Second)
		if got, said := w.probe("/readyz"), p.log.Take(); got != 503 || strings.Count(said, "all its partitions are stopped") != 1 {
			t.Errorf("with all partitions stopped: %d\n%s", got, said)
		}
		p.stop()
		apptest.NoError(t, <-p.ended)
	})
}

// TestReadinessOfAccountsThatWait: a process all of whose accounts have a wrong key is not ready; it is
// again once the key is right.
func TestReadinessOfAccountsThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.startKafka()
		apptest.WriteSecret(t, w.dir, "own.pem", apptest.PrivatePEM(apptest.LaterKey()))
		p := w.start(lifeSettings)
		time.Sleep(30 * time.Second)
		w.send("o1", "shop")
		time.Sleep(30 * time.Second)
		if got := w.probe("/readyz"); got != 200 {
			t.Errorf("after half a minute: %d", got)
		}
		time.Sleep(2 * time.Minute)
		got, said := w.probe("/readyz"), p.log.Take()
		if got != 503 || !strings.Contains(said, "can make no progress\" pipeline=calls") {
			t.Errorf("after two minutes and a half: %d\n%s", got, said)
		}
		if strings.Contains(said, "can make no progress\" pipeline=status") {
			t.Errorf("trade status waits for accounts that it never calls:\n%s", said)
		}
		apptest.WriteSecret(t, w.dir, "own.pem", apptest.PrivatePEM(apptest.OwnKey()))
		time.Sleep(5 * time.Minute)
		if got := w.probe("/readyz"); got != 200 {
			t.Errorf("with the right key: %d\n%s", got, p.log.Take())
		}
		w.wantResults("o1=APPLIED")
		p.stop()
		apptest.NoError(t, <-p.ended)
	})
}

// TestAStopWithoutBrokersEnds: the process cannot leave the group then. It ends in bounded time, and a
// line says what that means for the next start.
func TestAStopWithoutBrokersEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.startKafka()
		c := &cable{dial: w.network.DialContext}
		w.dial = c.DialContext
		p := w.start(lifeSettings)
		time.Sleep(30 * time.Second)
		c.set(true)
		time.Sleep(10 * time.Second)
		began := time.Now()
		p.stop()
		apptest.NoError(t, <-p.ended)
		if took := time.Since(began); took > 90*time.Second {
			t.Errorf("it took %v", took)
		}
		if said := p.log.Take(); strings.Count(said, "the group could not be left: no broker answered") != 3 {
			t.Errorf("the log says\n%s", said)
		}
	})
}

// TestADeadLetterOfTheEngineIsLogged: the transactor sees what became visible.
func TestADeadLetterOfTheEngineIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.startKafka()
		p := w.start(lifeSettings)
		w.send("o1", "stranger")
		w.send("o2", "stranger")
		w.wantResults("o1=INVALID", "o2=INVALID")
		time.Sleep(2 * time.Minute)
		p.stop()
		apptest.NoError(t, <-p.ended)
		said, total := p.log.Take(), 0
		for _, line := range strings.Split(said, "records became dead letters")[1:] {
			var n int
			_, err := fmt.Sscanf(line, `" pipeline=calls count=%d reason=unknown_account topic=order-events.dlq remedy=`, &n)
			apptest.NoError(t, err)
			total += n
		}
		if total != 2 {
			t.Errorf("%d dead letters are logged, want 2:\n%s", total, said)
		}
	})
}
