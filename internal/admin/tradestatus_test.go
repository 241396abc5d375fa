package admin_test

import (
	"slices"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/admin"
)

// TestLines: what an instance says apart from its verdict, as bridge status prints it.
func TestLines(t *testing.T) {
	s := well()
	if got := s.Lines(); got != nil {
		t.Errorf("%q", got)
	}
	s.Notifications = []admin.Notifications{
		{Account: "a", Taken: 5, LastTaken: ago(time.Minute)}, {Account: "b", Taken: 1, LastTaken: ago(time.Hour)},
		{Account: "c", Refused: 1200, LastRefused: ago(3 * time.Second), LastRefusal: "forged"}, {Account: "d", Taken: 3, Refused: 1, LastTaken: ago(time.Second), LastRefused: ago(time.Hour), LastRefusal: "busy"},
	}
	s.TradeStatus = admin.TradeStatus{
		Partitions: 1, Held: 2, Unresolved: 1, Asked: 1, Complete: true, StoreBytes: 3 << 19,
		Orders: []admin.Order{{Account: "shop", OrderNo: "T1", State: "HELD", Anomalies: []string{"amount_mismatch", "seller_mismatch"}, Since: ago(5 * time.Minute)}},
	}
	want := []string{
		"Notifications: 9 taken, 1,201 refused since the start. Last taken: none for c, for b 1 h 0 min ago, for a 1 min ago, and later for 1 other account. Last refused: forged, for c 3 s ago.",
		"Trade status: 2 orders held, 1 unresolved; shop/T1 waits longest, for 5 min (amount_mismatch, seller_mismatch). Asked Alipay once since the start. The copy on disk has 1.5 MiB.",
	}
	if got := s.Lines(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	s.TradeStatus = admin.TradeStatus{Partitions: 1, Orders: []admin.Order{}, Asked: 3, StoreWaiting: 2, StoreEmptied: ago(time.Minute)}
	want[1] = "Trade status: 0 orders held, 0 unresolved (still counting, there may be more). Asked Alipay 3 times since the start. The copy on disk has 0.0 MiB. 2 changes wait for the disk. It was damaged and emptied 1 min ago."
	if got := s.Lines(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	s.TradeStatus = admin.TradeStatus{Orders: []admin.Order{}}
	want[1] = "Trade status: no partition is restored here, so this instance does not know which orders are held. Asked Alipay 0 times since the start. The copy on disk has 0.0 MiB."
	if got := s.Lines(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
