package standalone

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
)

// Names of files in the folder that simulate writes.
const (
	SimulatorFile = "simulator.yaml"
	BridgeFile    = "bridge.yaml"
	TLSCertFile   = "keys/tls.crt"
	tlsKeyFile    = "keys/tls.key"
)

// Numbers of the simulated apps, in the formats of Alipay.
const (
	SimulatedApp    = "2021000000000001"
	certifiedApp    = "2021000000000002" // in certificate mode
	simulatedClient = "SIM_5000000000000001"
	simulatedOwner  = "2088000000000000" // of both apps
)

// notifyAddress is where the bridge of bridge.yaml receives notifications. Each create names it, so the simulator needs
// no setting for it.
const notifyAddress = "127.0.0.1:8086"

// Folder is where bridge simulate --out puts keys and the settings of the simulator and of the bridge.
type Folder struct {
	Dir      string
	Force    bool // overwrite other files
	Brokers  []string
	Registry string
	TLS      bool   // the gateway uses https
	TLSCert  string // of the operator, instead of a new one
}

// madeFile is one file of the folder.
type madeFile struct {
	name string
	text string
	mode fs.FileMode
}

// Write fills the folder, unless it was filled before.
func (f Folder) Write(out io.Writer, gateway string) error {
	bridge, err := f.bridgeSettings(gateway)
	if err != nil {
		return err
	}
	if !f.Force && madeBySimulate(f.Dir) {
		if err := f.compare(out, bridge); err != nil {
			return err
		}
		return f.next(out)
	}
	files, err := madeKeys()
	if err != nil {
		return err
	}
	files = append(files, madeFile{BridgeFile, bridge, 0o600})
	if err := f.create(out, files); err != nil {
		return err
	}
	return f.next(out)
}

// madeBySimulate reports whether simulator.yaml in the folder is ours.
func madeBySimulate(dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, SimulatorFile)) //nolint:gosec // the operator names his own folder
	return err == nil && bytes.Contains(b, []byte(config.SimulatorMark))
}

// compare reports that bridge.yaml differs from what would be written now.
func (f Folder) compare(out io.Writer, bridge string) error {
	name := filepath.Join(f.Dir, BridgeFile)
	there, err := os.ReadFile(name) //nolint:gosec // as above
	if err != nil {
		return fmt.Errorf("%w; use --force to write the folder anew", err)
	}
	fmt.Fprintf(out, "using the files in %s\n", f.Dir)
	if string(there) != bridge {
		fmt.Fprintf(out, "%s is kept although it does not match these flags; use --force to write the folder anew\n", name)
	}
	return nil
}

// create writes all files, or none if a file exists that we may not overwrite.
func (f Folder) create(out io.Writer, files []madeFile) error {
	for _, made := range files {
		name := filepath.Join(f.Dir, made.name)
		if _, err := os.Lstat(name); err == nil && !f.Force {
			return fmt.Errorf("%s exists and was not written by bridge simulate; use another folder, or --force to overwrite it", name)
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(f.Dir, "keys"), 0o700); err != nil {
		return err
	}
	for _, made := range files {
		name := filepath.Join(f.Dir, made.name)
		if err := replaceFile(name, made.text, made.mode); err != nil {
			return err
		}
		fmt.Fprintln(out, "wrote "+name)
	}
	return nil
}

// next prints what to do with the folder.
func (f Folder) next(out io.Writer) error {
	file := filepath.Join(f.Dir, BridgeFile)
	_, err := fmt.Fprintf(out, "next, in other terminals:\n  bridge topics create -c %s\n  bridge run -c %s\n", file, file)
	return err
}

// replaceFile writes a new file, so that the mode of an older one is not kept.
func replaceFile(name, text string, mode fs.FileMode) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(name, []byte(text), mode)
}

// madeKeys makes keys, tokens, and the settings of the simulator that name them.
func madeKeys() ([]madeFile, error) {
	app, err := GenerateApp(SimulatedApp)
	if err != nil {
		return nil, err
	}
	hk, err := GenerateHKApp(simulatedClient)
	if err != nil {
		return nil, err
	}
	files := []madeFile{
		keyFile("app-private.pem", app.MerchantPrivate), keyFile("app-public.pem", app.MerchantPublic),
		keyFile("alipay-private.pem", app.AlipayPrivate), keyFile("alipay-public.pem", app.AlipayPublic),
		keyFile("hk-private.pem", hk.MerchantPrivate), keyFile("hk-public.pem", hk.MerchantPublic),
		keyFile("alipayhk-private.pem", hk.PlatformPrivate), keyFile("alipayhk-public.pem", hk.PlatformPublic),
	}
	certified, err := certifiedFiles()
	if err != nil {
		return nil, err
	}
	files = append(files, certified...)
	files = append(files, madeFile{"keys/aes.key", app.AESKeyText() + "\n", 0o600})
	cert, tlsKey, err := NewTLS()
	if err != nil {
		return nil, err
	}
	files = append(files, certificateFile("tls.crt", cert), keyFile("tls.key", tlsKey))
	values := newValues()
	for i := range values.Merchants {
		m := &values.Merchants[i]
		m.Token = rand.Text()
		files = append(files, madeFile{"keys/" + m.Name + ".token", m.Token + "\n", 0o600})
	}
	text, err := render(simulatorTemplate, values)
	return append(files, madeFile{SimulatorFile, text, 0o600}), err
}

// certifiedFiles are the keys and certificates of the app in certificate mode.
func certifiedFiles() ([]madeFile, error) {
	ca, err := NewAuthority()
	if err != nil {
		return nil, err
	}
	app, err := GenerateApp(certifiedApp)
	if err != nil {
		return nil, err
	}
	if app, err = ca.Certify(app); err != nil {
		return nil, err
	}
	certs := app.App.Certs
	return []madeFile{
		keyFile("certified-private.pem", app.MerchantPrivate), keyFile("certified-alipay-private.pem", app.AlipayPrivate),
		keyFile("alipay-next-private.pem", app.NextPrivate), certificateFile("alipay-next.crt", certs.Next),
		certificateFile("app.crt", certs.App), certificateFile("alipay.crt", certs.Alipay), certificateFile("root.crt", certs.Roots),
	}, nil
}

// keyFile marks a key, so that no real app accepts it. Readers of PEM ignore text in front of a block.
func keyFile(name, pem string) madeFile {
	return madeFile{"keys/" + name, config.SimulatorMark + ", not for real use\n" + pem, 0o600}
}

// certificateFile has its mark in the subject: the Node SDK accepts no text in front of a certificate.
func certificateFile(name, pem string) madeFile { return madeFile{"keys/" + name, pem, 0o600} }

// settingsValues are the values for the templates of both settings files.
type settingsValues struct {
	Mark, App, Certified, Client, Owner string
	Merchants                           []simulatedMerchant
	Brokers                             []string
	Registry, URL                       string
	CAFile                              string // of the gateway, with --tls
	Notify, NotifyURL                   string // to which the name of an account is added
}

type simulatedMerchant struct{ Name, Seller, Token string }

// newValues are the values that need neither keys nor flags.
func newValues() settingsValues {
	v := settingsValues{
		Mark: config.SimulatorMark, App: SimulatedApp, Certified: certifiedApp, Client: simulatedClient, Owner: simulatedOwner,
		Notify: notifyAddress, NotifyURL: "http://" + notifyAddress + "/notify/",
	}
	for i, name := range classicAccounts() {
		v.Merchants = append(v.Merchants, simulatedMerchant{Name: name, Seller: fmt.Sprintf("20880000000000%02d", i+1)})
	}
	return v
}

//go:embed simulator.yaml.tmpl
var simulatorTemplate string

//go:embed bridge.yaml.tmpl
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
func (f Folder) bridgeSettings(gateway string) (string, error) {
	v := newValues()
	v.Brokers, v.Registry, v.URL, v.CAFile = f.Brokers, f.Registry, f.scheme()+localAddress(gateway), f.caFile()
	return render(bridgeTemplate, v)
}

func (f Folder) scheme() string {
	if f.TLS || f.TLSCert != "" {
		return "https://"
	}
	return "http://"
}

// caFile is the root certificate for the bridge. A certificate of the operator may have any CA.
func (f Folder) caFile() string {
	if f.TLS && f.TLSCert == "" {
		return TLSCertFile
	}
	return ""
}

// localAddress is the address of a listener for this machine, also if it listens on all addresses.
func localAddress(address string) string {
	at, err := netip.ParseAddrPort(address)
	if err == nil && at.Addr().IsUnspecified() {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port()).String()
	}
	if port, ok := strings.CutPrefix(address, ":"); ok {
		return "127.0.0.1:" + port
	}
	return address
}
