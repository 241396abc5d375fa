package simulator

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"alipay-kafka-bridge/internal/simulator/outbox"
	"alipay-kafka-bridge/internal/simulator/rules"
	"alipay-kafka-bridge/internal/simulator/wire"
)

// Method names one API call.
type Method string

// The five calls that are answered. The HK gateway knows its call only by its path; the name is ours.
const (
	TradeCreate    Method = "alipay.trade.create"
	TradeQuery     Method = "alipay.trade.query"
	OrderInfoSync  Method = "alipay.trade.orderinfo.sync"
	ItemOrderQuery Method = "koubei.trade.itemorder.query"
	HKOrderSync    Method = "alipayhk.merchant.order.sync"
)

// IsClassic reports whether the classic gateway answers the call.
func (m Method) IsClassic() bool {
	return m == TradeCreate || m == TradeQuery || m == OrderInfoSync || m == ItemOrderQuery || m == CertDownload
}

// CertDownload returns one of Alipay's certificates by its SN; only apps in certificate mode call it.
const CertDownload Method = "alipay.open.app.alipaycert.download"

// The paths on which the gateways answer.
const (
	GatewayPath     = "/gateway.do"                             // every page, "request address"
	HKPath          = "/api/open/alipay/v1/merchant/order/sync" // Synchronize Order
	hkPrefix        = "/api/open/"                              // other paths below it: INVALID_API
	maxBody         = 4 << 20                                   // bytes; no page names a limit [inferred]
	defaultPayLimit = 3 * time.Hour                             // for an unpaid face-to-face trade: alipay.trade.create (2026), "timeout_express"
	hkSkew          = 5 * time.Minute                           // docs/alipay.md, HK "Time": the figure of the most similar API [inferred]
	journalSize     = 2_000_000                                 // entries of each kind
)

// Options of a simulator. The zero value is a gateway that knows no app.
type Options struct {
	Apps       []App            // of the classic gateway
	HKApps     []HKApp          // of the AlipayHK gateway
	Now        func() time.Time // nil: time.Now
	Seed       uint64           // for probabilities, jitter and numbers; the same seed and requests give the same answers
	Latency    Latency
	Faults     []Fault
	Trades     []Trade
	ItemOrders []ItemOrder
	Buyers     []Buyer // for trades that create calls make
	HK         rules.HK

	// Notify are the states that merchants are notified of; nil: TRADE_SUCCESS, as on the page.
	Notify []TradeStatus
	// Client sends notifications; nil: a client that follows no redirect, uses no proxy and waits 10 s.
	Client *http.Client
	// Notifications are the faults and limits of the outbox; its other fields are set here.
	Notifications outbox.Options

	// Quirks are the variations in the form of answers; nil: DefaultQuirks, empty: none. BenchMode has none.
	Quirks []wire.Quirk

	// PayLimit is how long a trade waits for its buyer when the request names no limit; zero: 3 h.
	PayLimit time.Duration
	// JournalLimit is how many requests, and how many executions, the journal keeps;
	// zero: 2,000,000. Older ones are dropped; tallies stay.
	JournalLimit int
	// BenchMode reuses the signature of an answer that was signed before, so that a benchmark does
	// not measure the simulator's signing: send all requests once, call Reset, measure. HK answers
	// then repeat their Response-Time for up to a minute. Encrypted answers get a new key each time
	// and are signed again.
	BenchMode bool
}

// Simulator answers both gateways. It is safe for concurrent use.
type Simulator struct {
	options   Options
	apps      map[string]*App
	hkApps    map[string]*HKApp
	faults    faultList
	journal   *journal
	signer    *wire.Signer
	earlier   earlierAnswers
	quirks    map[wire.Quirk]bool
	outbox    *outbox.Outbox // safe on its own; mu may be held while it is called
	outage    atomic.Bool    // StartOutage
	lastTrace atomic.Uint64

	mu         sync.Mutex // guards what follows; held for map look-ups only, never while signing or sleeping
	trades     map[tradeKey]*trade
	byTradeNo  map[string]*trade
	itemOrders map[string]ItemOrder
	hkOrders   map[hkKey]*HKOrder
	lastSeq    int // order of creation, and of scheduled checks
	schedule   schedule

	clockOffset atomic.Int64  // nanoseconds by which Advance moved the clock
	wake        chan struct{} // one token: Run has something to do; never closed
}

// New checks the options and returns a simulator. It starts nothing.
func New(o Options) (*Simulator, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.PayLimit == 0 {
		o.PayLimit = defaultPayLimit
	}
	if o.HK.Skew == 0 {
		o.HK.Skew = hkSkew
	}
	if o.HK.BizTypes == nil {
		o.HK.BizTypes = []string{"TRADE_ORDER"}
	}
	if o.JournalLimit <= 0 {
		o.JournalLimit = journalSize
	}
	s := &Simulator{options: o, apps: map[string]*App{}, hkApps: map[string]*HKApp{}, journal: newJournal(o.JournalLimit), signer: wire.NewSigner(o.BenchMode), wake: make(chan struct{}, 1)}
	s.faults.seed = o.Seed
	s.setQuirks()
	var err error
	if s.outbox, err = s.newOutbox(); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	s.clearState()
	if err := s.loadOptions(); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	return s, nil
}

func (s *Simulator) setQuirks() {
	list := s.options.Quirks
	if list == nil {
		list = wire.DefaultQuirks()
	}
	if s.options.BenchMode {
		return // an answer must repeat to the byte
	}
	s.quirks = map[wire.Quirk]bool{}
	for _, q := range list {
		s.quirks[q] = true
	}
}

// loadOptions checks and adds the apps, faults, trades and item orders of the options.
func (s *Simulator) loadOptions() error {
	var errs []error
	for i := range s.options.Apps {
		a := s.options.Apps[i]
		if s.apps[a.ID] != nil {
			errs = append(errs, fmt.Errorf("app %q is listed twice", a.ID))
		}
		s.apps[a.ID] = &a
		errs = append(errs, a.check())
	}
	for i := range s.options.HKApps {
		a := s.options.HKApps[i]
		if s.hkApps[a.ClientID] != nil {
			errs = append(errs, fmt.Errorf("client %q is listed twice", a.ClientID))
		}
		s.hkApps[a.ClientID] = &a
		errs = append(errs, a.check())
	}
	for _, b := range s.options.Buyers {
		errs = append(errs, b.check())
	}
	for _, f := range s.options.Faults {
		s.AddFault(f)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return s.addInitialData()
}

// addInitialData adds the trades and item orders of the options.
func (s *Simulator) addInitialData() error {
	var errs []error
	for _, t := range s.options.Trades {
		errs = append(errs, s.AddTrade(t))
	}
	for _, o := range s.options.ItemOrders {
		errs = append(errs, s.AddItemOrder(o))
	}
	return errors.Join(errs...)
}

// clearState empties the state. The caller holds mu, or the simulator is not in use yet.
func (s *Simulator) clearState() {
	s.trades = map[tradeKey]*trade{}
	s.byTradeNo = map[string]*trade{}
	s.itemOrders = map[string]ItemOrder{}
	s.hkOrders = map[hkKey]*HKOrder{}
	s.lastSeq = 0
	s.schedule = nil
	s.outbox.Reset()
}

// Reset deletes trades, orders and journal entries, and adds those of the options again.
// Faults and an outage stay.
func (s *Simulator) Reset() {
	s.mu.Lock()
	s.clearState()
	s.mu.Unlock()
	s.journal.reset()
	if err := s.addInitialData(); err != nil {
		panic("simulator: Reset refuses options that New accepted: " + err.Error())
	}
}

// ServeHTTP answers both gateways; the path says which.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.inOutage() {
		s.journal.addUnread(RequestEntry{At: s.Now(), Verdict: verdictLost, Fault: kindOutage.String()})
		panic(http.ErrAbortHandler)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	switch {
	case r.URL.Path == GatewayPath:
		s.serveGateway(w, r)
	case strings.HasPrefix(r.URL.Path, hkPrefix):
		s.serveHK(w, r)
	default:
		http.Error(w, "not a path of Alipay", http.StatusNotFound)
	}
}

// StartOutage breaks every connection before anything is read, until StopOutage.
func (s *Simulator) StartOutage() { s.outage.Store(true) }

// StopOutage ends an outage that StartOutage began.
func (s *Simulator) StopOutage() { s.outage.Store(false) }

// inOutage reports whether an outage is on, by StartOutage or by a fault's time window.
func (s *Simulator) inOutage() bool {
	return s.outage.Load() || s.faults.outage(s.Now())
}

// Now returns the simulated time: that of Options.Now, moved by Advance.
func (s *Simulator) Now() time.Time { return s.options.Now().Add(time.Duration(s.clockOffset.Load())) }

// Advance moves the clock forward. Everything that falls due happens in its order and at its own
// time; notifications are sent when Run or Deliver gets to them.
func (s *Simulator) Advance(d time.Duration) {
	if d > 0 {
		s.clockOffset.Add(int64(d))
	}
	s.mu.Lock()
	s.runDue()
	s.mu.Unlock()
	s.wakeRun()
}

// wakeRun wakes Run.
func (s *Simulator) wakeRun() {
	select {
	case s.wake <- struct{}{}:
	default: // it has a token already
	}
}
