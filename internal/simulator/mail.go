package simulator

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// Run plays the buyers and sends the notifications until ctx ends; then it returns nil. Without it
// buyers act when somebody asks, and notifications wait for Deliver.
func (s *Simulator) Run(ctx context.Context) error {
	for {
		s.Deliver(ctx)
		wait, any := s.pause()
		if !any {
			wait = time.Hour // until somebody wakes us
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-s.wake:
			t.Stop()
		case <-t.C:
		}
	}
}

// pause is how long there is nothing to do.
func (s *Simulator) pause() (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.due()
	for _, n := range s.mail.list {
		if !s.mail.held && !n.Due.IsZero() && (next.IsZero() || n.Due.Before(next)) {
			next = n.Due
		}
	}
	return max(0, next.Sub(s.now())), !next.IsZero()
}

// Notifications returns copies of all notifications, oldest first.
func (s *Simulator) Notifications() []Notification {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp()
	out := make([]Notification, len(s.mail.list))
	for i, n := range s.mail.list {
		out[i] = *n
		out[i].Params, out[i].Deliveries = maps.Clone(n.Params), slices.Clone(n.Deliveries)
	}
	return out
}

// errNoMail says that no notification has the id.
var errNoMail = errors.New("no such notification")

// SendAgain lets a notification be delivered once more now, acknowledged or not: receivers meet
// doubles, and old states after new ones.
func (s *Simulator) SendAgain(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.mail.list {
		if n.ID == id {
			n.Due = s.now()
			s.nudge()
			return nil
		}
	}
	return errNoMail
}

// HoldNotifications keeps notifications back until ReleaseNotifications.
func (s *Simulator) HoldNotifications() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mail.held = true
}

// ReleaseNotifications sends what was held, the newest first.
func (s *Simulator) ReleaseNotifications() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp()
	s.mail.held = false
	now := s.now()
	var late []*Notification
	for _, n := range s.mail.list {
		if !n.Due.IsZero() && !n.Due.After(now) {
			late = append(late, n)
		}
	}
	for i, n := range late {
		n.Due = now.Add(-time.Duration(i)) // one nanosecond apart: only the order matters
	}
	s.nudge()
}
