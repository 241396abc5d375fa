//go:build !race

// The race detector takes more memory than this process is given.

package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/localkafka"
)

// receiverRun names the settings file of the child: `bridge run --only notify` under a memory limit.
const receiverRun = "BRIDGE_TEST_RECEIVER"

// floodTime is for how much longer forged notifications are sent, for instance 60s; empty: no longer.
const floodTime = "BRIDGE_FLOOD"

// TestReceiverChild is the other process of the test below; alone it does nothing.
func TestReceiverChild(t *testing.T) {
	file := os.Getenv(receiverRun)
	if file == "" {
		return
	}
	apptest.LimitMemory(t)
	c := rootCommand()
	c.SetArgs([]string{"run", "-c", file, "--only", "notify"})
	t.Fatal("run ended: ", c.ExecuteContext(context.Background()))
}

// TestN2_FloodOfForged: a receiver that has no private key answers every genuine notification beside forged ones, as many
// as can be sent, and half-open connections. It takes little memory, and calls no one but brokers and registry.
func TestN2_FloodOfForged(t *testing.T) {
	const notifications = 300
	f := floodReceiver(t)
	address, began := f.listening(), time.Now()
	var flood sync.WaitGroup
	stop, forged := make(chan struct{}), new(atomic.Int64)
	small, large := f.forge("1", ""), f.forge("2", strings.Repeat("x", 60<<10))
	for i := range 32 { // fewer than one sender may have
		flood.Go(func() { f.keepPosting(stop, "127.0.0.2", address, small, forged) })
		if i%2 == 0 {
			flood.Go(func() { f.keepPosting(stop, "127.0.0.3", address, large, forged) })
		}
	}
	for i := range 100 { // more than one sender may have
		flood.Go(func() { holdHalfOpen(stop, []string{"127.0.0.4", "127.0.0.5"}[i%2], address) })
	}
	f.await("forged notifications were answered", func() bool { return forged.Load() > 100 })
	var genuine sync.WaitGroup
	for sender := range 4 {
		genuine.Go(func() {
			for i := sender; i < notifications; i += 4 {
				f.deliver(address, fmt.Sprint("ORD_", i))
			}
		})
	}
	genuine.Wait()
	if text := os.Getenv(floodTime); text != "" {
		longer, err := time.ParseDuration(text)
		apptest.NoError(t, err)
		time.Sleep(longer) // real time: a person asked for it
	}
	f.await("more forged notifications were answered", func() bool { return forged.Load() > 1000 })
	f.dialsOnlyKafka(address)
	close(stop)
	flood.Wait()
	for _, topic := range []string{f.topics.Notifications, f.topics.Observations} {
		seen := map[string]bool{}
		for _, r := range f.allOf(topic) {
			seen[string(r.Key)] = true
		}
		if len(seen) != notifications {
			t.Errorf("%s holds %d orders, want %d", topic, len(seen), notifications)
		}
	}
	f.resident()
	t.Logf("%d forged ones were answered, %.0f a second", forged.Load(), float64(forged.Load())/time.Since(began).Seconds())
}

// flooded is a receiver in a process of its own.
type flooded struct {
	*besieged
	log     apptest.Buffer
	key     *rsa.PrivateKey // Alipay's
	gateway string
	calls   atomic.Int64 // at the gateway
}

func floodReceiver(t *testing.T) *flooded {
	t.Helper()
	b := &besieged{t: t, topics: config.Default().Topics, dead: make(chan error, 1)}
	b.topics.Partitions = 2
	f := &flooded{besieged: b, key: apptest.PlatformKey()}
	var err error
	b.kafka, err = localkafka.Start(localkafka.Options{Topics: topicsOfSettings(b.topics)})
	apptest.NoError(t, err)
	t.Cleanup(b.kafka.Close)
	gateway, err := net.Listen("tcp", "127.0.0.1:0")
	apptest.NoError(t, err)
	t.Cleanup(func() { _ = gateway.Close() })
	go func() {
		for c, err := gateway.Accept(); err == nil; c, err = gateway.Accept() {
			f.calls.Add(1)
			_ = c.Close()
		}
	}()
	f.gateway = gateway.Addr().String()
	dir := t.TempDir()
	settings, err := json.Marshal(map[string]any{
		"kafka": map[string]any{"brokers": b.kafka.Addrs(), "slot": "a"}, "registry": map[string]any{"url": b.kafka.RegistryURL()},
		"topics": map[string]any{"inputs": []any{map[string]any{"name": inputTopic, "accounts": []string{"shop"}}}},
		"apps": map[string]any{
			"main": map[string]any{"kind": "openapi", "environment": "simulator", "url": "http://" + f.gateway, "app_id": testApp, "private_key_file": "none.pem", "alipay_public_key_file": "theirs"},
		},
		"accounts": map[string]any{"shop": map[string]any{"app": "main", "channel": "TRADE", "seller_id": "2088102146225135"}},
		"notify":   map[string]any{"listen": "127.0.0.1:0"},
		"probes":   map[string]any{"listen": ""}, "metrics": map[string]any{"listen": ""}, "admin": map[string]any{"listen": ""},
	})
	apptest.NoError(t, err)
	apptest.WriteSecret(t, dir, "theirs", apptest.PublicPEM(&f.key.PublicKey))
	path := apptest.WriteSecret(t, dir, "bridge.yaml", string(settings))
	b.child = apptest.ChildCommand(context.Background(), "TestReceiverChild")
	b.child.Env = append(os.Environ(), receiverRun+"="+path, "GOMAXPROCS=2")
	out := io.MultiWriter(&b.said, &f.log)
	b.child.Stdout, b.child.Stderr = out, out
	b.run()
	return f
}

// listening waits until the child has said where it listens.
func (f *flooded) listening() (address string) {
	f.t.Helper()
	said := ""
	f.await("the receiver listens", func() bool {
		said += f.log.Take()
		if m := regexp.MustCompile(`"?notifications are received"?.*address=(\S+)`).FindStringSubmatch(said); m != nil {
			address = m[1]
		}
		return address != ""
	})
	return address
}

// body makes a notification of an order, with one more parameter.
func (f *flooded) body(no, more string) url.Values {
	form := url.Values{
		"app_id": {testApp}, "seller_id": {"2088102146225135"}, "notify_type": {"trade_status_sync"}, "charset": {"utf-8"}, "notify_id": {"n-" + no}, "out_trade_no": {no},
		"notify_time": {time.Now().In(time.FixedZone("", 8*60*60)).Format(time.DateTime)}, "trade_no": {"t-" + no}, "trade_status": {"TRADE_SUCCESS"}, "total_amount": {"88.88"},
	}
	if more != "" {
		form.Set("more", more)
	}
	var pairs []string
	for name, value := range form {
		pairs = append(pairs, name+"="+value[0])
	}
	slices.Sort(pairs)
	sum := sha256.Sum256([]byte(strings.Join(pairs, "&")))
	sign, err := rsa.SignPKCS1v15(rand.Reader, f.key, crypto.SHA256, sum[:])
	apptest.NoError(f.t, err)
	form.Set("sign", base64.StdEncoding.EncodeToString(sign))
	return form
}

// forge makes one whose signature is of another amount: only the key shows it.
func (f *flooded) forge(no, more string) []byte {
	form := f.body(no, more)
	form.Set("total_amount", "0.01")
	return []byte(form.Encode())
}

// clientFrom sends from an address of this machine.
func clientFrom(ip string) *http.Client {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	return &http.Client{Transport: &http.Transport{DialContext: d.DialContext, MaxIdleConnsPerHost: 100}, Timeout: time.Minute}
}

// keepPosting posts a body as fast as it is answered.
func (f *flooded) keepPosting(stop chan struct{}, from, address string, body []byte, answered *atomic.Int64) {
	client := clientFrom(from)
	defer client.CloseIdleConnections()
	for {
		select {
		case <-stop:
			return
		default:
		}
		answer, err := postTo(client, address, body)
		if err == nil {
			answered.Add(1)
		}
		if answer == "success" {
			f.t.Error("a forged notification was taken")
		}
	}
}

func postTo(client *http.Client, address string, body []byte) (string, error) {
	resp, err := client.Post("http://"+address+"/notify/shop", "application/x-www-form-urlencoded", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return string(answer), err
}

// holdHalfOpen opens connections that send half a request, one after the other.
func holdHalfOpen(stop chan struct{}, from, address string) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	for {
		c, err := d.Dial("tcp", address)
		if err == nil {
			_, _ = io.WriteString(c, "POST /notify/shop HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\n")
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_, _ = io.Copy(io.Discard, c)
			}()
			select {
			case <-ended:
			case <-stop:
			}
			_ = c.Close()
			<-ended
		}
		select {
		case <-stop:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// deliver sends a notification until it is answered with success, as Alipay does, only sooner.
func (f *flooded) deliver(address, no string) {
	client := clientFrom("127.0.0.1")
	defer client.CloseIdleConnections()
	body := []byte(f.body(no, "").Encode())
	for range 20 {
		if answer, err := postTo(client, address, body); err == nil && answer == "success" {
			return
		}
	}
	f.t.Errorf("%s was never answered with success", no)
}

// allOf reads what a topic holds now.
func (f *flooded) allOf(topic string) []*kgo.Record {
	n := 0
	for p := range int32(f.topics.Partitions) {
		n += int(f.kafka.Kafka().PartitionInfo(topic, p).HighWatermark)
	}
	return f.read(topic, n)
}

// dialsOnlyKafka looks at the connections of the child that it opened itself.
func (f *flooded) dialsOnlyKafka(address string) {
	f.t.Helper()
	if n := f.calls.Load(); n != 0 {
		f.t.Errorf("the gateway was called %d times", n)
	}
	registry, err := url.Parse(f.kafka.RegistryURL())
	apptest.NoError(f.t, err)
	allowed := append([]string{registry.Host}, f.kafka.Addrs()...)
	pid := strconv.Itoa(f.child.Process.Pid)
	sockets := map[string]bool{}
	fds, err := filepath.Glob("/proc/" + pid + "/fd/*")
	apptest.NoError(f.t, err)
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil {
			sockets[strings.TrimSuffix(strings.TrimPrefix(to, "socket:["), "]")] = true
		}
	}
	seen := 0
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile("/proc/" + pid + "/net/" + table)
		apptest.NoError(f.t, err)
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if len(fields) < 10 || !sockets[fields[9]] || fields[3] == "0A" { // listening
				continue
			}
			_, port, _ := net.SplitHostPort(address)
			if portOf(fields[1]) == port {
				continue // a sender's
			}
			seen++
			if to := "127.0.0.1:" + portOf(fields[2]); !slices.Contains(allowed, to) {
				f.t.Errorf("it is connected to %s, which is neither a broker nor the registry", to)
			}
		}
	}
	if seen == 0 {
		f.t.Error("no connection to a broker was found")
	}
}

// portOf reads the port of an address in /proc/net/tcp.
func portOf(hex string) string {
	n, _ := strconv.ParseUint(hex[strings.LastIndex(hex, ":")+1:], 16, 16)
	return strconv.Itoa(int(n))
}
