package app

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/config/fault"
)

// rereadEvery is how often the files of keys, certificates and tokens are read again: soon
// enough for a change of keys that a person watches (security Y3).
const rereadEvery = 30 * time.Second

// reloader keeps a running service up to date. It rereads the files of keys and tokens by itself,
// and the accounts of the settings file on request. What it cannot use changes nothing.
type reloader struct {
	path    string
	slot    string         // from the command line; empty: the one of the settings
	only    PartList       // from the command line
	files   *config.Source // which files to read, as at the start: other files need a restart
	latest  *config.Source // the settings that were read last
	now     config.Config  // in force
	service *Service
	log     *slog.Logger
	level   *slog.LevelVar // of log

	refused string                 // why the settings file is not in force; empty: it is
	digest  atomic.Pointer[string] // of latest
	trouble atomic.Pointer[string] // what is not in force, for operators; nil: nothing

	failed map[string]string // why the new files of an app are not in use, by app
	faulty map[string]string // what is wrong with a file, by setting
	warned map[string]int    // how many warnings were logged, by what ends
}

// newReloader returns a reloader for a service that was built from these settings.
func newReloader(l Settings, s *Service, level *slog.LevelVar) *reloader {
	r := &reloader{
		path: l.path, slot: l.slot, only: l.only, files: l.source, latest: l.source, now: l.Config, service: s, log: s.o.Log, level: level,
		failed: map[string]string{}, faulty: map[string]string{}, warned: map[string]int{},
	}
	r.showTrouble()
	return r
}

// run works until ctx ends. A value from hup makes it read the settings file.
func (r *reloader) run(ctx context.Context, hup <-chan os.Signal) {
	tick := time.NewTicker(rereadEvery)
	defer tick.Stop()
	r.warnOfEnds(time.Now())
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			r.rereadSettings()
			r.rereadFiles(ctx)
		case <-tick.C:
			r.rereadFiles(ctx)
		}
		r.warnOfEnds(time.Now())
		r.showTrouble()
	}
}

// showTrouble lets operators see what is not in force.
func (r *reloader) showTrouble() {
	var all []string
	if r.refused != "" {
		all = append(all, "the settings file: "+r.refused)
	}
	for _, name := range slices.Sorted(maps.Keys(r.failed)) {
		all = append(all, "files of app "+name+": "+r.failed[name])
	}
	for _, setting := range slices.Sorted(maps.Keys(r.faulty)) {
		all = append(all, setting+": "+r.faulty[setting])
	}
	digest := r.latest.Digest()
	r.digest.Store(&digest)
	text := strings.Join(all, "; ")
	r.trouble.Store(&text)
}

// Digest is the SHA-256 of the settings file that was read last and is in force.
func (r *reloader) Digest() string { return *r.digest.Load() }

// Trouble says what is not in force, and why; empty: everything is.
func (r *reloader) Trouble() string {
	if text := r.trouble.Load(); text != nil {
		return *text
	}
	return ""
}

// rereadSettings reads the settings file and puts in use what needs no restart.
func (r *reloader) rereadSettings() {
	src, c, err := open(r.path, r.only)
	if err == nil {
		_, err = newAccounts(c)
	}
	if err != nil {
		r.refused = firstLine(err)
		r.logRefusal(err)
		return
	}
	r.refused = ""
	if r.slot != "" {
		c.Kafka.Slot = r.slot
	}
	next := merge(r.now, c)
	r.useLogLevel(&next, c)
	var waiting []config.Change
	for _, c := range config.Changes(next, c) {
		if !c.Content { // files are read by themselves
			waiting = append(waiting, c)
		}
	}
	r.latest = src
	r.useAccounts(next, "the settings file was read again", config.Changes(r.now, next), waiting)
}

// firstLine is the first fault of a settings file, or what else is wrong with it.
func firstLine(err error) string {
	var faults fault.Faults
	if errors.As(err, &faults) && len(faults) > 0 {
		return faults[0].String()
	}
	return err.Error()
}

// logRefusal logs all faults of a settings file.
func (r *reloader) logRefusal(err error) {
	r.log.Error("the settings file has faults; the previous settings stay in force", "file", r.path)
	var faults fault.Faults
	if !errors.As(err, &faults) {
		r.log.Error("fault in the settings file", "error", err)
	}
	for _, f := range faults {
		r.log.Error("fault in the settings file", "line", f.Line, "setting", f.Path, "error", f.Msg)
	}
}

// useLogLevel puts the level of the settings file in use. The settings have checked the word.
func (r *reloader) useLogLevel(next *config.Config, read config.Config) {
	from, to := strings.ToLower(r.level.Level().String()), read.Telemetry.LogLevel // an operator may have changed it meanwhile
	if from == to || r.level.UnmarshalText([]byte(to)) != nil {
		return
	}
	next.Telemetry.LogLevel = to
	r.log.Warn("the log level was changed", "from", from, "to", to)
}

// takenAway names what new settings no longer permit: accounts, and accounts of topics.
func takenAway(now, next config.Config) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(now.Accounts)) {
		if _, ok := next.Accounts[name]; !ok {
			out = append(out, "account "+name)
		}
	}
	for _, inputs := range [][2][]config.Input{{now.Topics.Inputs, next.Topics.Inputs}, {now.Topics.Queries, next.Topics.Queries}} {
		for i, in := range inputs[0] {
			for _, name := range in.Accounts {
				if !slices.Contains(inputs[1][i].Accounts, name) {
					out = append(out, "account "+name+" of topic "+in.Name)
				}
			}
		}
	}
	return out
}

func (r *reloader) useAccounts(next config.Config, reason string, changed, waiting []config.Change) {
	if err := r.service.useAccounts(next); err != nil {
		r.logRefusal(err) // never: both halves were checked
		return
	}
	removed := takenAway(r.now, next)
	r.now = next
	if len(removed) > 0 {
		r.log.Warn("accounts were taken away; their events become dead letters", "removed", removed, "remedy", "if this was a mistake, correct the file and restart: a reload never gives a permission back")
	}
	r.log.Warn("accounts were reloaded", "reason", reason, "changed", settingPaths(changed), "settings_sha256", r.latest.Digest())
	if len(waiting) > 0 {
		r.log.Warn("changes of these settings wait for a restart", "settings", settingPaths(waiting))
	}
}

// rereadFiles reads keys, certificates and tokens again and puts in use what changed.
func (r *reloader) rereadFiles(ctx context.Context) {
	read, err := r.files.Reread()
	faults := append(faultsOf(err, "apps."), faultsOf(err, "accounts.")...)
	r.logFaults(faults)
	for name, a := range read.Apps {
		r.restartFor(name, a)
		if changed := config.Changes(oneApp(name, r.now.Apps[name]), oneApp(name, a)); len(changed) > 0 {
			r.useKeys(ctx, name, a, changed)
		} else {
			delete(r.failed, name)
		}
	}
	next := r.now
	next.Accounts = maps.Clone(r.now.Accounts)
	for name, a := range next.Accounts {
		a.AppAuthTokenFile, a.AgentTokenFile = read.Accounts[name].AppAuthTokenFile, read.Accounts[name].AgentTokenFile
		next.Accounts[name] = a
	}
	if changed := config.Changes(r.now, next); len(changed) > 0 {
		r.useAccounts(next, "tokens were replaced", changed, nil)
	}
}

func oneApp(name string, a config.App) config.Config {
	return config.Config{Apps: map[string]config.App{name: a}}
}

// restartFor logs that a new ca_file needs a restart: connections are made with roots that are read once.
func (r *reloader) restartFor(name string, a config.App) {
	now := r.now.Apps[name]
	if a.CAFile == now.CAFile {
		return
	}
	now.CAFile = a.CAFile
	r.now.Apps = maps.Clone(r.now.Apps)
	r.now.Apps[name] = now
	r.log.Warn("the new file is not used yet; it needs a restart", "app", name, "setting", "apps."+name+".ca_file")
}

// useKeys puts the keys of an app's files in use, all or none. A failure is logged once, and the
// files are tried again, since a vault may be in trouble for a while.
func (r *reloader) useKeys(ctx context.Context, name string, a config.App, changed []config.Change) {
	log := r.log.With("app", name, "settings", settingPaths(changed))
	next := r.now
	next.Apps = maps.Clone(r.now.Apps)
	next.Apps[name] = a
	err := r.service.useKeys(ctx, name, a)
	if err == nil {
		err = r.service.receiveFor(next)
	}
	if err != nil {
		if r.failed[name] != err.Error() {
			log.Error("new key files cannot be used; the previous keys stay in force", "error", err)
		}
		r.failed[name] = err.Error()
		return
	}
	delete(r.failed, name)
	r.now = next
	log.Warn("keys were replaced", "trusted_keys", trustFingerprints(a), "own_keys", r.service.ownKeys(name))
}

// logFaults logs each fault of a file once, and when it is fixed.
func (r *reloader) logFaults(faults []fault.Fault) {
	now := map[string]string{}
	for _, f := range faults {
		if now[f.Path] = f.Msg; r.faulty[f.Path] != f.Msg {
			r.log.Error("a file cannot be used; what it held before stays in force", "setting", f.Path, "error", f.Msg)
		}
	}
	for setting := range r.faulty {
		if now[setting] == "" {
			r.log.Warn("a file can be used again", "setting", setting)
		}
	}
	r.faulty = now
}

func faultsOf(err error, prefix string) []fault.Fault {
	var faults fault.Faults
	errors.As(err, &faults)
	return slices.DeleteFunc(slices.Clone(faults), func(f fault.Fault) bool { return !strings.HasPrefix(f.Path, prefix) })
}

func settingPaths(changes []config.Change) []string {
	out := make([]string, len(changes))
	for i, c := range changes {
		out[i] = c.Path
	}
	return out
}
