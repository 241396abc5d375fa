package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
)

// Bounds of answers. Hundreds may arrive at once, so those that are longer than any ordinary one
// take turns. A place is taken for bytes that have arrived, and each app has its own places: a
// gateway that sends much, slowly, holds up the long answers of its own app alone.
const (
	// maxAnswer is far above any documented answer [inferred].
	maxAnswer       = 1 << 20
	maxAnswerHeader = 64 << 10
	smallAnswer     = 32 << 10
	longAnswers     = 4 // of an app at a time, from their 32nd KiB until they are opened
)

var (
	errTooLong    = errors.New("the answer is longer than 1 MiB")
	errCompressed = errors.New("the answer is compressed, although the request asked for identity")
)

// places are for answers that are longer than smallAnswer. Each is a buffer that is used again, or
// nil before its first use: with new ones, the heap would grow faster than its garbage is collected.
type places chan []byte

func newPlaces(n int) places {
	p := make(places, n)
	for range n {
		p <- nil
	}
	return p
}

// read reads an answer to its end. The caller must release it once it is opened; its body is valid
// until then.
func (p places) read(ctx context.Context, res *http.Response) (*answer, error) {
	defer res.Body.Close()
	if c := res.Header.Get("Content-Encoding"); c != "" && !strings.EqualFold(c, "identity") {
		return nil, errCompressed
	}
	a := &answer{status: res.StatusCode, header: res.Header, retryAfter: retryAfter(res.Header)}
	var err error
	a.body, err = io.ReadAll(io.LimitReader(res.Body, smallAnswer+1))
	if err != nil || len(a.body) <= smallAnswer {
		return a, err
	}
	select {
	case a.buffer = <-p:
		a.place = p
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if a.buffer == nil {
		a.buffer = make([]byte, 0, maxAnswer+1+bytes.MinRead)
	}
	long := bytes.NewBuffer(append(a.buffer, a.body...))
	_, err = long.ReadFrom(io.LimitReader(res.Body, int64(maxAnswer+1-long.Len())))
	if a.body = long.Bytes(); err == nil && len(a.body) > maxAnswer {
		err = errTooLong
	}
	if err != nil {
		a.release()
		return nil, err
	}
	return a, nil
}

// release gives the place of a long answer back.
func (a *answer) release() {
	if a != nil && a.place != nil {
		a.place <- a.buffer
		a.place, a.body = nil, nil
	}
}

// own returns bytes of the answer's body that stay valid after its release.
func (a *answer) own(body []byte) []byte {
	if a.place == nil {
		return body
	}
	return bytes.Clone(body)
}
