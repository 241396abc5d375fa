package config

import (
	"os"
	"path/filepath"
	"time"

	"alipay-kafka-bridge/internal/config/fault"
)

// Status configures trade status.
type Status struct {
	// Folder of the store, for this process alone. It may be lost: then the state is read from the topic again.
	// Empty: alipay-kafka-bridge/GROUP-SLOT in the folder that STATE_DIRECTORY names, or else in the user's cache folder.
	Folder string `yaml:"folder,omitempty"`
	// Age at which a pending order is asked for first; each further time is three times as late.
	AskAfter time.Duration `yaml:"ask_after"`
	// Age from which on a pending order is not asked for any more; its status then has the anomaly unresolved.
	AskUntil time.Duration `yaml:"ask_until"`
	// How many orders each process asks for in a second, at most.
	AskRate int `yaml:"ask_rate"`
	// How long the status of an order is kept after its last change, in which refunds are possible.
	Keep time.Duration `yaml:"keep"`
	// How long the status of an order is kept for which Alipay refused to create a trade.
	KeepFailed time.Duration `yaml:"keep_failed"`
}

const day = 24 * time.Hour

func (s *Status) defaults() {
	*s = Status{AskAfter: 2 * time.Minute, AskUntil: 7 * day, AskRate: 10, Keep: 396 * day, KeepFailed: 7 * day}
}

// StatusFolder is the folder of the store of trade status. Each slot has its own.
func (c Config) StatusFolder() string {
	if c.Status.Folder != "" {
		return c.Status.Folder
	}
	base := os.Getenv("STATE_DIRECTORY") // systemd's StateDirectory=
	if base == "" {
		base, _ = os.UserCacheDir()
	}
	if base == "" {
		base = os.TempDir()
	}
	return filepath.Join(base, "alipay-kafka-bridge", c.Kafka.Group+"-"+c.Kafka.Slot)
}

func (s Status) check(fs *fault.Findings) {
	fs.Duration("status.ask_after", s.AskAfter, 10*time.Second, day)
	fs.Duration("status.ask_until", s.AskUntil, s.AskAfter, 60*day)
	fs.Number("status.ask_rate", s.AskRate, 1, 1000)
	fs.Duration("status.keep", s.Keep, 30*day, 3650*day)
	fs.Duration("status.keep_failed", s.KeepFailed, day, 3650*day)
}
