// Package schemas is the contract with the outside: the Avro schemas of every record that
// the bridge reads or writes. Each field says where its value is on Alipay's side
// ("Wire: page.member"): the files are documentation as well as code.
package schemas

import "embed"

// FS is a complete schema folder for use without a registry: the files, and their ids in ids.json.
//
//go:embed *.avsc ids.json
var FS embed.FS

// The schemas' texts. The bridge reads the first. It writes results, snapshots, notifications and trade status for
// others, and observations and the journal for itself. Control commands are part of the contract; nothing reads or
// writes them yet.
var (
	//go:embed order_event.avsc
	OrderEvent string
	//go:embed call_result.avsc
	CallResult string
	//go:embed trade_snapshot.avsc
	TradeSnapshot string
	//go:embed trade_notification.avsc
	TradeNotification string
	//go:embed trade_status.avsc
	TradeStatus string
	//go:embed trade_observation.avsc
	TradeObservation string
	//go:embed journal_entry.avsc
	JournalEntry string
	//go:embed control_command.avsc
	ControlCommand string
)

// Schema is one record of the contract.
type Schema struct {
	Name string // unqualified name of the record, e.g. OrderEvent
	File string // its name in [FS]
	Text string
}

// All returns every schema, in the order in which a reader should meet them.
func All() []Schema {
	return []Schema{
		{"OrderEvent", "order_event.avsc", OrderEvent},
		{"CallResult", "call_result.avsc", CallResult},
		{"TradeSnapshot", "trade_snapshot.avsc", TradeSnapshot},
		{"TradeNotification", "trade_notification.avsc", TradeNotification},
		{"TradeStatus", "trade_status.avsc", TradeStatus},
		{"TradeObservation", "trade_observation.avsc", TradeObservation},
		{"JournalEntry", "journal_entry.avsc", JournalEntry},
		{"ControlCommand", "control_command.avsc", ControlCommand},
	}
}
