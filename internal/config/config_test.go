package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/config/fault"
)

// canary stands for every secret. Nothing may show it.
const canary = "c4n4ry"

func block(kind string) string {
	return "-----BEGIN " + kind + "-----\n" + canary + "\n-----END " + kind + "-----\n"
}

// folder makes a folder with the files that the settings in testdata name.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, f := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"private.pem":   {block("PRIVATE KEY"), 0o600},
		"client.pem":    {block("PRIVATE KEY"), 0o600},
		"loose.pem":     {block("PRIVATE KEY"), 0o644},
		"simulated.pem": {config.SimulatorMark + "\n" + block("PRIVATE KEY"), 0o600},
		"public.pem":    {block("PUBLIC KEY"), 0o600},
		"roots.pem":     {block("CERTIFICATE"), 0o644},
		"many.pem":      {strings.Repeat(block("PUBLIC KEY"), 17), 0o644},
		"long.pem":      {strings.Repeat("x", 64<<10+1), 0o600},
		"empty.pem":     {" \n", 0o600},
		"token":         {" " + canary + "\n", 0o600},
		"password":      {canary, 0o400},
		"mask":          {strings.Repeat(canary, 6), 0o600},
		"admin-token":   {strings.Repeat(canary, 6), 0o600},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(f.text), f.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, f.mode); err != nil { // whatever the umask
				t.Fatal(err)
			}
		})
	}
	return dir
}

// settings puts a settings file into the folder.
func settings(t *testing.T, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, "bridge.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func file(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// environment is what the settings see of it.
func environment(dir string) func(string) (string, bool) {
	values := map[string]string{"KEYS": dir, "SIXTY_FOUR": "64", "CANARY": canary, "EVIL": "x\n  in_flight: 1", "NESTED": "${KEYS}"}
	return func(name string) (string, bool) {
		v, ok := values[name]
		return v, ok
	}
}

// TestBadSettings: each file has one fault and says in its first line where it is and what is
// said of it.
func TestBadSettings(t *testing.T) {
	names, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal("no files", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			dir := folder(t)
			text := file(t, filepath.Join("bad", filepath.Base(name)))
			_, err := config.Load(settings(t, dir, text), environment(dir))
			var faults fault.Faults
			if !errors.As(err, &faults) || len(faults) != 1 {
				t.Fatalf("err = %v, want one fault", err)
			}
			first, _, _ := strings.Cut(text, "\n")
			where, words := place(strings.TrimPrefix(first, "# want: "))
			got := strings.ReplaceAll(faults[0].String(), dir, "DIR")
			if !strings.HasPrefix(got, where+": ") || !strings.Contains(got, words) {
				t.Errorf("fault = %s\n want = %s: ... %s", got, where, words)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the fault shows a secret: %v", err)
			}
		})
	}
}

// place splits "line 3: kafka.start: words"; faults of the whole file have no path.
func place(want string) (where, words string) {
	parts := strings.SplitN(want, ": ", 3)
	if len(parts) == 2 || strings.Contains(parts[1], " ") {
		where, words, _ = strings.Cut(want, ": ")
		return where, words
	}
	return parts[0] + ": " + parts[1], parts[2]
}

func TestAllFaultsAtOnce(t *testing.T) {
	dir := folder(t)
	text := strings.NewReplacer("earliest", "soon", "TRADE", "TRAED", "http://127.0.0.1:8090", "ftp://x", "kind: alipayhk", "kin: alipayhk").
		Replace(file(t, "minimal.yaml"))
	_, err := config.Load(settings(t, dir, text), environment(dir))
	var faults fault.Faults
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	var got []string
	for _, f := range faults {
		got = append(got, fmt.Sprintf("%d %s", f.Line, f.Path))
	}
	want := []string{"3 kafka.start", "14 apps.main.url", "18 apps.hk.kind", "19 apps.hk.kin", "21 apps.hk.url", "26 accounts.shop.channel"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("faults = %q\n want %q", got, want)
	}
}

func TestDefaults(t *testing.T) {
	dir := folder(t)
	c, err := config.Load(settings(t, dir, file(t, "minimal.yaml")), environment(dir))
	if err != nil {
		t.Fatal(err)
	}
	host, _ := os.Hostname()
	if c.Kafka.Group != "alipay-kafka-bridge" || c.Kafka.QueriesGroup() != "alipay-kafka-bridge-queries" || c.Kafka.Slot != host {
		t.Errorf("kafka = %+v", c.Kafka)
	}
	if in := c.Topics.Inputs[0]; in.DeadLetters != "order-events.dlq" || c.Topics.Results != "alipay-results" || c.Topics.Partitions != 8 {
		t.Errorf("topics = %+v", c.Topics)
	}
	main, hk := c.Apps["main"], c.Apps["hk"]
	if main.InFlight != 256 || main.Timeout != 15*time.Second || main.Queries.InFlight != 32 || main.Breaker.Consecutive != 10 || main.Retry.MaxTrying != 15*time.Minute {
		t.Errorf("main = %+v", main)
	}
	if hk.Timeout != 8*time.Second || hk.KeyVersion != "1" || c.Accounts["shop-hk"].Channel != "HK" {
		t.Errorf("hk = %+v, %+v", hk, c.Accounts["shop-hk"])
	}
	if c.Delivery.SettleEvery != 100*time.Millisecond || c.Delivery.MaxBytes != 16<<20 || c.Probes.Listen != "127.0.0.1:8088" || c.Admin.Listen != "127.0.0.1:8087" {
		t.Errorf("delivery = %+v, admin = %+v", c.Delivery, c.Admin)
	}
}

func TestEverySetting(t *testing.T) {
	dir := folder(t)
	c, err := config.Load(settings(t, dir, file(t, "good.yaml")), environment(dir))
	if err != nil {
		t.Fatal(err)
	}
	main, hk := c.Apps["main"], c.Apps["hk"]
	if main.AppID != "2021000000000001" || main.Rate != 50.5 || hk.PrivateKeyFile.Path != filepath.Join(dir, "private.pem") {
		t.Errorf("main = %+v, hk = %+v", main, hk)
	}
	if got := c.Accounts["shop-b"].AppAuthTokenFile.Text.Reveal(); got != canary {
		t.Errorf("token = %q, want it without white space", got)
	}
	if got := hk.PlatformKeys["2"].Text; !strings.Contains(got, "PUBLIC KEY") {
		t.Errorf("platform key = %q", got)
	}
	if rows := c.Accounts["shop-a"].Mapping; len(rows) != 2 || rows[0].Call != config.CallQuery || rows[1].Skip != "not_wanted" {
		t.Errorf("mapping = %+v", rows)
	}
	unset := ""
	zeros(reflect.ValueOf(c), "", &unset)
	if unset != "" {
		t.Errorf("testdata/good.yaml does not set%s", unset)
	}
}

// exclusive are settings that exclude others of good.yaml.
var exclusive = []string{"registry.token_file", "registry.folder", "kafka.sasl.user", "kafka.sasl.password_file", "kafka.sasl.token_file"}

// zeros lists the settings of structures that nothing sets: good.yaml should show them all.
func zeros(v reflect.Value, path string, out *string) {
	if v.Kind() != reflect.Struct {
		return
	}
	for i := range v.NumField() {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if f := v.Field(i); key != "" && !slices.Contains(exclusive, path+key) {
			if f.IsZero() {
				*out += " " + path + key
			}
			zeros(f, path+key+".", out)
		}
	}
}

// TestPrintedSettingsLoadAgain: what is printed is complete, and shows no secret.
func TestPrintedSettingsLoadAgain(t *testing.T) {
	for _, name := range []string{"minimal.yaml", "good.yaml"} {
		dir := folder(t)
		first, err := config.Load(settings(t, dir, file(t, name)), environment(dir))
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := first.Print(&b); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), canary) {
			t.Errorf("%s: a secret is printed:\n%s", name, b.String())
		}
		again, err := config.Load(settings(t, dir, b.String()), environment(dir))
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, b.String())
		}
		if !reflect.DeepEqual(first, again) {
			t.Errorf("%s: printed and loaded again it is different:\n%s", name, b.String())
		}
	}
}

// TestEnvironmentCannotInject: a value stays a value, and is not looked at twice.
func TestEnvironmentCannotInject(t *testing.T) {
	dir := folder(t)
	text := strings.Replace(file(t, "minimal.yaml"), "{app: main,", `{app: main, defaults: {store_id: "${EVIL}", product_code: "a${NESTED}b"},`, 1)
	c, err := config.Load(settings(t, dir, text), environment(dir))
	if err != nil {
		t.Fatal(err)
	}
	d := c.Accounts["shop"].Defaults
	if d.StoreID != "x\n  in_flight: 1" || d.ProductCode != "a${KEYS}b" || c.Apps["main"].InFlight != 256 {
		t.Errorf("defaults = %+q", d)
	}
}

// TestLoadPublicReadsNoKeys: who only reads topics needs no key.
func TestLoadPublicReadsNoKeys(t *testing.T) {
	dir := folder(t)
	for _, name := range []string{"private.pem", "public.pem", "token", "mask", "admin-token"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	path := settings(t, dir, file(t, "good.yaml"))
	if _, err := config.Load(path, environment(dir)); err == nil {
		t.Error("Load found the keys")
	}
	c, err := config.LoadPublic(path, environment(dir))
	if err != nil {
		t.Fatal(err)
	}
	if c.Registry.PasswordFile.Text.Reveal() != canary {
		t.Error("the registry's password was not read")
	}
}

func TestNoSettingsFile(t *testing.T) {
	if _, err := config.Load(filepath.Join(t.TempDir(), "none.yaml"), os.LookupEnv); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("err = %v", err)
	}
}
