package admin

import "time"

// Status is what an instance knows about itself at one moment. It is served as JSON: fields are only
// ever added.
type Status struct {
	AsOf     time.Time `json:"as_of"`
	Instance Instance  `json:"instance"`
	Verdict  Verdict   `json:"verdict"`

	Audit Audit `json:"audit,omitzero"` // of the whole group; absent where another instance audits

	Pipelines  []Pipeline  `json:"pipelines"`
	Apps       []App       `json:"apps"`
	Accounts   []Account   `json:"accounts"`
	Topics     []Topic     `json:"topics"`
	Oldest     []Oldest    `json:"oldest"`     // the longest wait of each account and cause
	Doubts     []Doubt     `json:"doubts"`     // calls of which it is not known whether they took effect, by account and method
	Waiting    []Waiting   `json:"waiting"`    // events without an outcome, those that wait longest first; at most as many as were asked for
	Partitions []Partition `json:"partitions"` // the worst first; at most 20
	Changes    []Change    `json:"changes"`    // notable lines of the log, the last first; at most 50

	DeadLetters []DeadLetter `json:"dead_letters"` // that were committed since the start of the process, the last first; at most 20

	Notifications []Notifications `json:"notifications,omitempty"` // that this instance received since its start, by account
	TradeStatus   TradeStatus     `json:"trade_status,omitzero"`   // absent where it is not merged

	PartitionsOmitted int `json:"partitions_omitted"` // how many partitions are not listed
}

// Instance is the process.
type Instance struct {
	Group    string    `json:"group"`
	Slot     string    `json:"slot"`
	Version  string    `json:"version"`
	Go       string    `json:"go"`
	Started  time.Time `json:"started"`
	Settings string    `json:"settings_sha256"` // of the settings file in force
	Ready    bool      `json:"ready"`           // as /readyz answers

	ReloadFailed string `json:"reload_failed,omitempty"` // why new settings or files are not in force

	WaitsFor  string    `json:"waits_for,omitempty"`  // what its start waits for
	WaitError string    `json:"wait_error,omitempty"` // why that is not there
	WaitSince time.Time `json:"wait_since,omitzero"`

	EventsPerSecond float64 `json:"events_per_second"` // finished, over the last minute
}

// Pipeline is one consumer group of the process.
type Pipeline struct {
	Name       string `json:"name"`
	Group      string `json:"group"`
	Trouble    string `json:"trouble,omitempty"` // why it can make no progress; empty: it can
	Partitions int    `json:"partitions"`
	Running    int    `json:"running"`   // events that are being handled
	Unsettled  int    `json:"unsettled"` // outcomes that are not committed yet
	Finished   uint64 `json:"finished"`  // events since the start of the process
	HeldBytes  int    `json:"held_bytes"`
	MaxBytes   int    `json:"max_bytes"`
	Internal   bool   `json:"internal"` // the bridge itself writes what it reads: these are not events of users
	Stalled    bool   `json:"stalled"`  // events could be handled, nothing explains a wait, and none was finished for a minute

	LastSettled time.Time `json:"last_settled,omitzero"` // last transaction
}

// App is an app of Alipay's.
type App struct {
	Name        string       `json:"name"`
	InFlight    int64        `json:"in_flight"`
	Limit       int          `json:"limit"`
	Untrusted   bool         `json:"untrusted"`            // no answer is provably Alipay's
	ClockOffset float64      `json:"clock_offset_seconds"` // our clock is ahead by
	Breakers    []Breaker    `json:"breakers"`
	Credentials []Credential `json:"credentials"`

	Failures     []Failure     `json:"failures"`      // the last exchanges that failed, the last one first; at most 20
	FailureKinds []FailureKind `json:"failure_kinds"` // all that failed since the start of the process; at most 100, and one for other codes of each method and class
}

// Failure is an exchange that Alipay, or the way to it, failed. A refusal is none.
type Failure struct {
	At         time.Time `json:"at"`           // when it was sent
	Took       float64   `json:"took_seconds"` // until the answer was verified, or the deadline
	Account    string    `json:"account"`
	Method     string    `json:"method"`
	OrderNo    string    `json:"order_no,omitempty"`
	TradeNo    string    `json:"trade_no,omitempty"`   // Alipay's number
	RequestNo  string    `json:"request_no,omitempty"` // ours, of one request
	Class      string    `json:"class"`
	HTTPStatus int       `json:"http_status,omitempty"` // 0: no answer
	Code       string    `json:"code,omitempty"`
	SubCode    string    `json:"sub_code,omitempty"`
	TraceID    string    `json:"trace_id,omitempty"` // Alipay's
}

// FailureKind counts exchanges that failed in one way.
type FailureKind struct {
	Method string    `json:"method"`
	Class  string    `json:"class"`
	Code   string    `json:"code"`
	Calls  int       `json:"calls"`
	First  time.Time `json:"first"` // when the first was sent
	Last   time.Time `json:"last"`  // when the last was sent
}

// Breaker is the circuit breaker of a method.
type Breaker struct {
	Pipeline string    `json:"pipeline"`
	Method   string    `json:"method"`
	State    string    `json:"state"` // closed, half-open or open
	Since    time.Time `json:"since,omitzero"`
	Error    string    `json:"error,omitempty"` // that was seen last
	Probe    time.Time `json:"probe,omitzero"`  // when it lets a call pass again; zero: now
}

// Credential is a certificate or key with an end.
type Credential struct {
	Name string    `json:"name"`
	Ends time.Time `json:"ends"`
}

// Account is a merchant.
type Account struct {
	Name         string    `json:"name"`
	App          string    `json:"app"`
	StoppedSince time.Time `json:"stopped_since,omitzero"` // a person must act; zero: it works, or was not called
	Error        string    `json:"error,omitempty"`        // of the last call that failed
	LastSuccess  time.Time `json:"last_success,omitzero"`
	LastFailure  time.Time `json:"last_failure,omitzero"`
}

// Fails reports whether its last call failed.
func (a Account) Fails() bool { return a.LastFailure.After(a.LastSuccess) }

// Topic is the lag of an input topic.
type Topic struct {
	Name     string           `json:"name"`
	Internal bool             `json:"internal"` // as of its pipeline
	Lag      map[string]int64 `json:"lag"`      // records by what they wait for
}

// Oldest is the longest wait of an account for one thing.
type Oldest struct {
	Account  string    `json:"account"`
	Cause    string    `json:"cause"`
	Since    time.Time `json:"since"`
	Internal bool      `json:"internal"` // as of its pipeline
}

// Doubt counts calls of which it is not known whether they took effect.
type Doubt struct {
	Account string    `json:"account"`
	Method  string    `json:"method"`
	Calls   int       `json:"calls"`
	Since   time.Time `json:"since"`    // of the oldest
	OrderNo string    `json:"order_no"` // of the oldest
}

// Waiting is an event without an outcome.
type Waiting struct {
	Account   string    `json:"account"`
	OrderNo   string    `json:"order_no"`
	Method    string    `json:"method"`
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Since     time.Time `json:"since"`
	Cause     string    `json:"cause"`
	Attempts  int       `json:"attempts"`
	Class     string    `json:"class,omitempty"`
	Code      string    `json:"code,omitempty"`
	Doubt     time.Time `json:"doubt_since,omitzero"` // since when it has not been known whether a call took effect
	Next      time.Time `json:"next,omitzero"`
	Behind    int       `json:"behind"` // later events of the same order
}

// Partition is a partition that the instance owns.
type Partition struct {
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	State     string    `json:"state"`
	Reason    string    `json:"reason,omitempty"` // why it is stopped
	Head      int64     `json:"head"`             // first offset without an outcome
	HeadSince time.Time `json:"head_since,omitzero"`
	Window    float64   `json:"window_used"`
	Waiting   int       `json:"waiting"`
	Finished  int       `json:"finished"`
	Unread    int64     `json:"unread"`
}

// DeadLetter is an event that a person must look at.
type DeadLetter struct {
	At        time.Time `json:"at"`    // when it was committed
	Topic     string    `json:"topic"` // where it is
	Reason    string    `json:"reason"`
	Account   string    `json:"account"`   // of the event; empty: it is not known
	Source    string    `json:"source"`    // input topic of the event
	Partition int32     `json:"partition"` // there
	Offset    int64     `json:"offset"`    // there
}

// Change is a notable line of the log.
type Change struct {
	At    time.Time `json:"at"`
	Level string    `json:"level"`
	Text  string    `json:"text"`
}
