package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/output"
)

// accountsFile is a settings file whose accounts have the keys of the vectors, and one mistake
// each but for the first of either gateway.
func accountsFile(t *testing.T, v vectors) string {
	t.Helper()
	var hk struct {
		Keys map[string]struct {
			Private string `json:"private_pkcs8_pem"`
			SPKI    string `json:"public_spki_pem"`
		}
	}
	readVector(t, "alipayhk/keys.json", &hk)
	v.write(t, "hk.pub", []byte(hk.Keys["platform_rsa_v1"].SPKI))
	v.write(t, "hk.key", []byte(hk.Keys["merchant_rsa_v1"].Private))
	v.write(t, "marked.key", []byte(config.SimulatorMark+"\n"+hk.Keys["merchant_rsa_v1"].Private))
	v.write(t, "token", []byte(canaryToken))
	var apps, accounts, names []string
	add := func(name, app, account string) {
		apps = append(apps, "  "+name+": {environment: simulator, url: 'http://127.0.0.1:1', "+app+"}")
		accounts = append(accounts, "  "+name+": {app: "+name+account+"}")
		names = append(names, name)
	}
	const classic = "kind: openapi, app_id: '2021000000000001', "
	const trade = ", channel: TRADE, seller_id: '2088102146225135', app_auth_token_file: token, defaults: {store_id: S1}"
	add("good", classic+"private_key_file: app.key, alipay_public_key_file: alipay.pub", trade)
	add("own", classic+"private_key_file: app.key, alipay_public_key_file: app.pub", trade)
	add("gbk", classic+"private_key_file: app.key, alipay_public_key_file: alipay.pub, charset: gbk", trade)
	add("cert", classic+"private_key_file: app.key, mode: certificate, app_cert_file: app.crt, alipay_cert_file: alipay_leaf.crt, alipay_root_cert_file: root.crt", trade)
	add("marked", classic+"private_key_file: marked.key, alipay_public_key_file: alipay.pub", trade)
	add("vaulted", classic+"private_key_uri: 'vault://127.0.0.1:1/transit/app', vault_token_file: token, alipay_public_key_file: alipay.pub", trade)
	add("hk", "kind: alipayhk, client_id: 4Q5Y8W0WSG45P907917, private_key_file: hk.key, platform_keys: {'1': hk.pub}", "")
	add("hk-two", "kind: alipayhk, client_id: 4Q5Y8W0WSG45P907917, private_key_file: hk.key, platform_keys: {'2': hk.pub}", "")
	return v.write(t, "bridge.yaml", []byte("kafka: {brokers: ['127.0.0.1:9092'], start: earliest, slot: s}\nregistry: {folder: .}\ntopics: {inputs: [{accounts: ["+strings.Join(names, ", ")+"]}]}\napps:\n"+
		strings.Join(apps, "\n")+"\naccounts:\n"+strings.Join(accounts, "\n")+"\n"))
}

// TestInspectAccount: every usual mistake is explained with the settings that make it, as text
// and as JSON, from a file and from standard input.
func TestInspectAccount(t *testing.T) {
	v := newVectors(t)
	settings := accountsFile(t, v)
	request, answer := hkCapture(t, v)
	response := func(method string, more ...string) []string {
		return append([]string{"response", "--method", method}, more...)
	}
	const query, create = "alipay.trade.query", "alipay.trade.create"
	for _, tt := range []struct {
		name, account string
		args          []string
		input         []byte
		want          string
		code          int
	}{
		{"good", "good", response(query), v.answers["query_ok"], "signed by Alipay and read", 0},
		{"own key configured as Alipay's", "own", response(query), v.answers["query_ok"], "public half of our own private key; configure the one Alipay shows", output.ExitFound},
		{"wrong charset", "gbk", response(query), recoded(t, v), "good over the same text in GBK", output.ExitFound},
		{"changed byte", "good", response(methodOf(v.answers["tampered"])), v.answers["tampered"], "at least one byte was changed", output.ExitFound},
		{"missing sign", "good", response(methodOf(v.answers["success_without_sign"])), v.answers["success_without_sign"], "the answer carries no sign", output.ExitFound},
		{"certificate not trusted", "cert", response(create, "--chain", v.file("merchant_class.chain")), v.answers["cert_success_without_sn"], "is not trusted: its issuer is not that of the installed Alipay certificate", output.ExitFound},
		{"certificate mode", "cert", response(create), v.answers["cert_sn_first"], "signed by Alipay and read", 0},
		{"right HK key version", "hk", []string{"hk-response", "--request", request}, answer, "signed by Alipay and read", 0},
		{"wrong HK key version", "hk-two", []string{"hk-response", "--request", request}, answer, "names key version 1; configured are [2]: add that version's platform key", output.ExitFound},
		{"without Vault", "vaulted", response(query), v.answers["query_ok"], "signed by Alipay and read", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := append(tt.args, "-c", settings, "--account", tt.account)
			got, code := runInspect(t, tt.input, append(slices.Clone(args), "-o", "jsonl", "-")...)
			var e struct {
				Verified *bool   `json:"verified"`
				Class    *string `json:"class"`
				Code     *string `json:"code"`
				SubCode  *string `json:"sub_code"`
				Reason   string  `json:"reason"`
			}
			if err := json.NewDecoder(strings.NewReader(got)).Decode(&e); err != nil || e.Verified == nil || e.Class == nil || e.Code == nil || e.SubCode == nil {
				t.Errorf("%s: %v\n%s", tt.name, err, got)
			} else if !strings.Contains(e.Reason, tt.want) || *e.Verified != (tt.code == 0) || code != tt.code {
				t.Errorf("%s: code %d, %s", tt.name, code, got)
			}
			if text, code := runInspect(t, nil, append(args, v.write(t, "captured", tt.input))...); !strings.Contains(text, tt.want) || code != tt.code {
				t.Errorf("%s: code %d\n%s", tt.name, code, text)
			}
		})
	}
}

// TestInspectAccountRequest: planned by the account's own settings, its token hidden, and signed
// visibly with a simulator's key alone.
func TestInspectAccountRequest(t *testing.T) {
	v := newVectors(t)
	settings := accountsFile(t, v)
	event := []byte(`{"event_id":"e1","event_type":"CREATED","occurred_at":"2026-11-01T09:17:00Z","order_no":"T1","total":{"minor":8800,"currency":"CNY"},"subject":"Longjing","buyer_user_id":"2088102146225135"}`)
	for account, want := range map[string]string{"good": "app_auth_token=<hidden>", "gbk": "&charset=gbk&", "cert": "&app_cert_sn=", "vaulted": `"store_id":"S1"`} {
		t.Run(account, func(t *testing.T) {
			got, code := runInspect(t, event, "request", "-c", settings, "--account", account, "-")
			if code != 0 || !strings.Contains(got, want) || !strings.Contains(got, `"store_id":"S1"`) || strings.Contains(got, canaryToken) || strings.Contains(got, "signature\t") {
				t.Errorf("%s: code %d\n%s", account, code, got)
			}
		})
	}
	for account, want := range map[string]int{"good": command.ExitUsage, "marked": 0} {
		t.Run(account, func(t *testing.T) {
			got, code := runInspect(t, event, "request", "-c", settings, "--account", account, "--show-signature", "-")
			if code != want || strings.Contains(got, "signature\t") != (want == 0) {
				t.Errorf("%s: code %d\n%s", account, code, got)
			}
		})
	}
	for args, want := range map[string]string{
		"request --account nobody":                          "the settings have cert, gbk, good, hk, hk-two, marked, own, vaulted",
		"request --account good --key x":                    "--key and --account cannot be used together",
		"response --method m --account hk":                  "under an app of kind alipayhk; this command needs kind openapi",
		"hk-response --account good":                        "under an app of kind openapi; this command needs kind alipayhk",
		"response --method m --account good --chain x":      "only in certificate mode",
		"response --method m --account good --alipay-key x": "--alipay-key and --account cannot be used together",
		"hk-response --account hk --platform-key 1=x":       "--platform-key and --account cannot be used together",
	} {
		t.Run(args, func(t *testing.T) {
			got, code := runInspect(t, event, append(strings.Fields(args), "-c", settings, "-")...)
			if code != command.ExitUsage || !strings.Contains(got, want) {
				t.Errorf("%s: code %d, %s", args, code, got)
			}
		})
	}
}

// TestInspectAccountNotification: app id and seller come from the account.
func TestInspectAccountNotification(t *testing.T) {
	v := newVectors(t)
	settings := accountsFile(t, v)
	for id, class := range map[string]string{"success_gbk": "DONE", "tampered_amount": "UNTRUSTED", "other_seller": "REJECTED"} {
		t.Run(id, func(t *testing.T) {
			got, _ := runInspect(t, notification(t, id), "notification", "-o", "jsonl", "-c", settings, "--account", "good", "-")
			if !strings.Contains(got, fmt.Sprintf("\"class\":%q", class)) {
				t.Errorf("%s: %s", id, got)
			}
		})
	}
}
