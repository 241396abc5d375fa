package main

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
)

// Names in the folder that simulate writes.
const (
	simulatorFile = "simulator.yaml"
	bridgeFile    = "bridge.yaml"
	tlsCertFile   = "keys/tls.crt"
	tlsKeyFile    = "keys/tls.key"
)

// Numbers of the simulated apps, in Alipay's forms.
const (
	simulatedApp    = "2021000000000001"
	certifiedApp    = "2021000000000002" // in certificate mode
	simulatedClient = "SIM_5000000000000001"
)

// madeFile is one file of the folder.
type madeFile struct {
	name string
	text string
	mode fs.FileMode
}

// write fills the folder, or leaves it as it is when it was filled before.
func (o simulateOptions) write(out io.Writer, gateway string) error {
	bridge, err := o.bridgeSettings(gateway)
	if err != nil {
		return err
	}
	if !o.force && madeBefore(o.dir) {
		if err := o.compare(out, bridge); err != nil {
			return err
		}
		return o.next(out)
	}
	files, err := madeKeys()
	if err != nil {
		return err
	}
	files = append(files, madeFile{bridgeFile, bridge, 0o600})
	if err := o.create(out, files); err != nil {
		return err
	}
	return o.next(out)
}

// madeBefore says whether the folder's simulator.yaml is ours.
func madeBefore(dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, simulatorFile)) //nolint:gosec // the operator names his own folder
	return err == nil && bytes.Contains(b, []byte(config.SimulatorMark))
}

// compare says when bridge.yaml is not what it would be written as now.
func (o simulateOptions) compare(out io.Writer, bridge string) error {
	name := filepath.Join(o.dir, bridgeFile)
	there, err := os.ReadFile(name) //nolint:gosec // as above
	if err != nil {
		return fmt.Errorf("%w; --force makes the folder anew", err)
	}
	fmt.Fprintf(out, "using what is in %s\n", o.dir)
	if string(there) != bridge {
		fmt.Fprintf(out, "%s is not what these flags give, and is kept; --force makes the folder anew\n", name)
	}
	return nil
}

// create writes all files or, when one is there that we may not overwrite, none.
func (o simulateOptions) create(out io.Writer, files []madeFile) error {
	for _, f := range files {
		name := filepath.Join(o.dir, f.name)
		if _, err := os.Lstat(name); err == nil && !o.force {
			return fmt.Errorf("%s exists and is not ours: choose another folder, or overwrite with --force", name)
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(o.dir, "keys"), 0o700); err != nil {
		return err
	}
	for _, f := range files {
		name := filepath.Join(o.dir, f.name)
		if err := replaceFile(name, f.text, f.mode); err != nil {
			return err
		}
		fmt.Fprintln(out, "wrote "+name)
	}
	return nil
}

// replaceFile writes a new file, so that an older one's mode does not stay.
func replaceFile(name, text string, mode fs.FileMode) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(name, []byte(text), mode)
}

func (o simulateOptions) next(out io.Writer) error {
	file := filepath.Join(o.dir, bridgeFile)
	_, err := fmt.Fprintf(out, "next, in other terminals:\n  bridge topics create -c %s\n  bridge run -c %s\n", file, file)
	return err
}

// madeKeys makes keys and tokens and the simulator's settings that name them.
func madeKeys() ([]madeFile, error) {
	app, err := simulator.GenerateApp(simulatedApp)
	if err != nil {
		return nil, err
	}
	hk, err := simulator.GenerateHKApp(simulatedClient)
	if err != nil {
		return nil, err
	}
	files := []madeFile{
		key("app-private.pem", app.MerchantPrivate), key("app-public.pem", app.MerchantPublic),
		key("alipay-private.pem", app.AlipayPrivate), key("alipay-public.pem", app.AlipayPublic),
		key("hk-private.pem", hk.MerchantPrivate), key("hk-public.pem", hk.MerchantPublic),
		key("alipayhk-private.pem", hk.PlatformPrivate), key("alipayhk-public.pem", hk.PlatformPublic),
	}
	certified, err := certifiedFiles()
	if err != nil {
		return nil, err
	}
	files = append(files, certified...)
	files = append(files, madeFile{"keys/aes.key", app.AESKeyText() + "\n", 0o600})
	cert, tlsKey, err := simulator.NewTLS()
	if err != nil {
		return nil, err
	}
	files = append(files, certificate("tls.crt", cert), key("tls.key", tlsKey))
	values := settingsValues{Mark: config.SimulatorMark, App: simulatedApp, Certified: certifiedApp, Client: simulatedClient}
	for i, a := range simulatedAccounts() {
		if a.channel == order.ChannelHK {
			continue
		}
		m := simulatedMerchant{Name: a.name, Seller: fmt.Sprintf("20880000000000%02d", i+1), Token: rand.Text()}
		values.Merchants = append(values.Merchants, m)
		files = append(files, madeFile{"keys/" + m.Name + ".token", m.Token + "\n", 0o600})
	}
	text, err := render(simulatorTemplate, values)
	return append(files, madeFile{simulatorFile, text, 0o600}), err
}

// certifiedFiles are the keys and certificates of the app in certificate mode.
func certifiedFiles() ([]madeFile, error) {
	ca, err := simulator.NewAuthority()
	if err != nil {
		return nil, err
	}
	app, err := simulator.GenerateApp(certifiedApp)
	if err != nil {
		return nil, err
	}
	if app, err = ca.Certify(app); err != nil {
		return nil, err
	}
	certs := app.App.Certs
	return []madeFile{
		key("certified-private.pem", app.MerchantPrivate), key("certified-alipay-private.pem", app.AlipayPrivate),
		key("alipay-next-private.pem", app.NextPrivate), certificate("alipay-next.crt", certs.Next),
		certificate("app.crt", certs.App), certificate("alipay.crt", certs.Alipay), certificate("root.crt", certs.Roots),
	}, nil
}

// key marks a key, so that no real app takes it. PEM readers pass over what stands before it.
func key(name, pem string) madeFile {
	return madeFile{"keys/" + name, config.SimulatorMark + ", not for real use\n" + pem, 0o600}
}

// certificate has its mark in the subject: the Node SDK reads no text before a certificate.
func certificate(name, pem string) madeFile { return madeFile{"keys/" + name, pem, 0o600} }

// settingsValues fill the templates of both settings files.
type settingsValues struct {
	Mark, App, Certified, Client string
	Merchants                    []simulatedMerchant
	Brokers                      []string
	Registry, URL                string
	CAFile                       string // of the gateway, with --tls
}

type simulatedMerchant struct{ Name, Seller, Token string }

//go:embed simulate_simulator.yaml.tmpl
var simulatorTemplate string

//go:embed simulate_bridge.yaml.tmpl
var bridgeTemplate string

func render(text string, v settingsValues) (string, error) {
	t, err := template.New("settings").Funcs(template.FuncMap{"quote": strconv.Quote, "join": quotedList}).Parse(text)
	if err != nil {
		return "", fmt.Errorf("settings template: %w", err)
	}
	var b strings.Builder
	if err := t.Execute(&b, v); err != nil {
		return "", fmt.Errorf("settings template: %w", err)
	}
	return b.String(), nil
}

func quotedList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = strconv.Quote(s)
	}
	return strings.Join(quoted, ", ")
}

// bridgeSettings returns bridge.yaml for a gateway at this address.
func (o simulateOptions) bridgeSettings(gateway string) (string, error) {
	return render(bridgeTemplate, settingsValues{
		Mark: config.SimulatorMark, App: simulatedApp, Certified: certifiedApp, Client: simulatedClient,
		Brokers: o.brokers, Registry: o.registry, URL: o.scheme() + reachable(gateway), CAFile: o.caFile(),
	})
}

func (o simulateOptions) scheme() string {
	if o.tls || o.tlsCert != "" {
		return "https://"
	}
	return "http://"
}

// caFile is what the bridge trusts; a certificate that the operator brought may have any CA.
func (o simulateOptions) caFile() string {
	if o.tls && o.tlsCert == "" {
		return tlsCertFile
	}
	return ""
}

// reachable is how this machine reaches a listener, also one that listens everywhere.
func reachable(address string) string {
	at, err := netip.ParseAddrPort(address)
	if err == nil && at.Addr().IsUnspecified() {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port()).String()
	}
	if port, ok := strings.CutPrefix(address, ":"); ok {
		return "127.0.0.1:" + port
	}
	return address
}
