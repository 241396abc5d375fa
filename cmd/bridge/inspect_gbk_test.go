package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/app/apptest"
)

// Under GBK the output shows the text, and the bytes that are signed; neither loses a character.
func TestInspectRequestInGBK(t *testing.T) {
	dir := t.TempDir()
	const subject = "\u4f1a\u5458\u5145\u503c"
	event := `{"event_id":"e1","event_type":"CREATED","occurred_at":"2026-11-20T00:00:00Z","order_no":"o1","channel":"TRADE","subject":"` + subject + `","total":{"minor":100,"currency":"CNY"},"buyer_user_id":"2088000000000077"}`
	file, key := filepath.Join(dir, "event.json"), filepath.Join(dir, "key.pem")
	for name, text := range map[string]string{file: event, key: apptest.PrivatePEM(apptest.OwnKey())} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := rootCommand()
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetArgs([]string{"inspect", "request", "-o", "json", "--charset", "gbk", "--key", key, file})
	if err := c.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Content struct{ Subject string }
		ToSign  string `json:"to_sign"`
		Bytes   []byte `json:"to_sign_gbk_base64"`
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want, err := alipay.CharsetGBK.Encode([]byte(got.ToSign))
	if err != nil || got.Content.Subject != subject || !strings.Contains(got.ToSign, subject) || !bytes.Equal(got.Bytes, want) || strings.Contains(out.String(), "\ufffd") {
		t.Errorf("%s (%v)", out.String(), err)
	}
}
