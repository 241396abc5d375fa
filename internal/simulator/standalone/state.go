package standalone

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"alipay-kafka-bridge/internal/simulator"
)

// restore reads the state file, if there is one.
func (o Server) restore(sim *simulator.Simulator) error {
	if o.State == "" {
		return nil
	}
	f, err := os.Open(o.State)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	return sim.Restore(f)
}

// keep saves the state regularly.
func (o Server) keep(ctx context.Context, sim *simulator.Simulator) error {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := o.save(sim); err != nil {
				return err
			}
		}
	}
}

// save writes the state file completely or not at all.
func (o Server) save(sim *simulator.Simulator) error {
	var b bytes.Buffer
	if err := sim.Save(&b); err != nil {
		return err
	}
	part := o.State + ".part"
	if err := os.WriteFile(part, b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return os.Rename(part, o.State)
}
