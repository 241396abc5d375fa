package order_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/order"
)

var update = flag.Bool("update", false, "write docs/payees.md anew")

// The document shows the table of policies as the code has it.
func TestPoliciesAreInTheDocument(t *testing.T) {
	rules := map[order.Rule]string{
		order.Listed: "listed", order.Setting: "setting", order.Switch: "switch", order.Free: "free",
	}
	var b strings.Builder
	b.WriteString("# Who is paid\n\n" +
		"All members that can move money, or look as if they could. This page is generated from `internal/order/policy.go`.\n\n" +
		"- **listed**: an event may give only the values that the account lists under `payees`; any other is a dead letter `payee_not_allowed`.\n" +
		"- **setting**: it is never in an event. Only the settings have it, and a change waits for a restart. A reload (SIGHUP) may shorten or lengthen the time to pay; else it only takes permissions away.\n" +
		"- **switch**: free JSON. Names such as `royalty`, `settle`, `seller`, `store_id` or `agreement` are refused at every depth, also in texts within texts, unless the account has `extra_money`.\n" +
		"- **free**: any value, since it changes no receiver.\n\n" +
		"| member | rule | source | reason |\n|---|---|---|---|\n")
	for _, p := range order.Policies() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", p.Field, rules[p.Rule], p.Source, p.Reason)
	}
	const file = "../../docs/payees.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Errorf("%s is not what the code says: look, then go test ./internal/order -run TestPoliciesAreInTheDocument -update", file)
	}
}
