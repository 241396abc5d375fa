package fair

// Shares bounds what many hold together. While it is too much, those that hold more than their
// share of it are choked: what they hold must not grow. The others may take their share in any
// case, so n of them can hold 1 + 1/2 + ... + 1/n times the bound.
type Shares[K comparable] struct {
	MaxN, MaxBytes int // never change

	of     map[K]*share // of those that hold something, or are choked
	sum    share
	choked int // in of
}

type share struct {
	n, bytes int
	choked   bool
}

// Add changes what one of them holds.
func (s *Shares[K]) Add(k K, n, bytes int) {
	u := s.of[k]
	if u == nil {
		if s.of == nil {
			s.of = map[K]*share{}
		}
		u = &share{}
		s.of[k] = u
	}
	u.n, u.bytes = u.n+n, u.bytes+bytes
	s.sum.n, s.sum.bytes = s.sum.n+n, s.sum.bytes+bytes
	if u.n == 0 && !u.choked {
		delete(s.of, k)
	}
}

// Bytes is what all hold together.
func (s *Shares[K]) Bytes() int { return s.sum.bytes }

// Full reports whether all hold too much together.
func (s *Shares[K]) Full() bool { return s.sum.n >= s.MaxN || s.sum.bytes >= s.MaxBytes }

// Choked reports whether what one of them holds must not grow, until Freed.
func (s *Shares[K]) Choked(k K) bool {
	u := s.of[k]
	if u != nil && !u.choked && s.over(u, s.MaxN, s.MaxBytes) {
		u.choked = true
		s.choked++
	}
	return u != nil && u.choked
}

// IsChoked reports whether it was choked when it was asked for last; it changes nothing.
func (s *Shares[K]) IsChoked(k K) bool {
	u := s.of[k]
	return u != nil && u.choked
}

func (s *Shares[K]) over(u *share, n, bytes int) bool {
	shares := len(s.of) + 1 // one is for who comes next
	return s.sum.n >= n && u.n >= max(1, n/shares) || s.sum.bytes >= bytes && u.bytes >= bytes/shares
}

// Freed ends the choking of those that have some room again, and reports whether there is one.
func (s *Shares[K]) Freed() bool {
	before := s.choked
	if before == 0 {
		return false
	}
	for k, u := range s.of {
		if !u.choked || s.over(u, s.MaxN-s.MaxN/4, s.MaxBytes-s.MaxBytes/4) {
			continue
		}
		u.choked = false
		s.choked--
		if u.n == 0 {
			delete(s.of, k)
		}
	}
	return s.choked < before
}

// Forget takes away what some of them hold.
func (s *Shares[K]) Forget(gone func(K) bool) {
	for k, u := range s.of {
		if !gone(k) {
			continue
		}
		s.sum.n, s.sum.bytes = s.sum.n-u.n, s.sum.bytes-u.bytes
		if u.choked {
			s.choked--
		}
		delete(s.of, k)
	}
}

// Hysteresis is true from its limit on until no more than low is left.
type Hysteresis bool

// Update compares what there is with the limits.
func (h *Hysteresis) Update(n, limit, low int) {
	switch {
	case n >= limit:
		*h = true
	case n <= low:
		*h = false
	}
}
