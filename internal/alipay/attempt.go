package alipay

import "context"

// Attempt says which exchange of an event this is. It is for people who read traces; no exchange depends on it.
type Attempt struct {
	Number  int // among all exchanges of the event, from 1
	Resends int // how many requests of the same method the event sent before
}

type attemptKey struct{}

// WithAttempt returns a context for one exchange.
func WithAttempt(ctx context.Context, a Attempt) context.Context {
	return context.WithValue(ctx, attemptKey{}, a)
}

// AttemptOf returns the attempt of a context; the zero value means that none is known.
func AttemptOf(ctx context.Context) Attempt {
	a, _ := ctx.Value(attemptKey{}).(Attempt)
	return a
}
