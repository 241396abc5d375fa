package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/gateway"
)

// slowBody sends what it has and then nothing until more is closed.
type slowBody struct {
	has  *bytes.Reader
	read atomic.Int64
	more chan struct{}
}

func newSlowBody(n int) *slowBody {
	return &slowBody{has: bytes.NewReader(make([]byte, n)), more: make(chan struct{})}
}

func (b *slowBody) Read(to []byte) (int, error) {
	n, err := b.has.Read(to)
	if b.read.Add(int64(n)); err == io.EOF {
		<-b.more
	}
	return n, err
}

func (*slowBody) Close() error { return nil }

// TestLongAnswersTakeTurns: hundreds of answers of nearly 1 MiB arrive at once, slowly.
func TestLongAnswersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := gateway.NewPlaces()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var bodies []*slowBody
		ends := make(chan error, 200)
		for range 200 {
			body := newSlowBody(1 << 20)
			bodies = append(bodies, body)
			go func() {
				ends <- long.ReadAndRelease(ctx, &http.Response{Body: body})
			}()
		}
		synctest.Wait()
		held := func() (whole int, all int64) {
			for _, b := range bodies {
				if n := b.read.Load(); n == 1<<20 {
					whole++
				} else {
					all += n
				}
			}
			return whole, all
		}
		if whole, rest := held(); whole != gateway.LongAnswers || rest > 200<<15+200 {
			t.Errorf("%d long answers are in memory, and %d KiB of the others", whole, rest>>10)
		}

		quick := newSlowBody(32 << 10) // the most that needs no place
		close(quick.more)
		if err := long.ReadAndRelease(ctx, &http.Response{Body: quick}); err != nil {
			t.Errorf("an ordinary answer: %v", err)
		}
		tooLong := newSlowBody(1<<20 + 1)
		bodies = append(bodies, tooLong)
		go func() { ends <- long.ReadAndRelease(ctx, &http.Response{Body: tooLong}) }()

		for _, b := range bodies {
			close(b.more)
		}
		failed := 0
		for range bodies {
			if <-ends != nil {
				failed++
			}
		}
		if failed != 1 {
			t.Errorf("%d answers failed, want only the one that is too long", failed)
		}
		stuck := newSlowBody(1 << 20)
		for range gateway.LongAnswers {
			holder := newSlowBody(1 << 20)
			defer close(holder.more)
			go func() { _ = long.ReadAndRelease(t.Context(), &http.Response{Body: holder}) }()
		}
		synctest.Wait()
		go func() { ends <- long.ReadAndRelease(ctx, &http.Response{Body: stuck}) }()
		synctest.Wait()
		cancel()
		if <-ends == nil {
			t.Error("an answer waits for a place after its deadline")
		}
	})
}

// Of an answer that is too long no more is read than shows it.
func TestTooLongAnswersAreNotRead(t *testing.T) {
	body := newSlowBody(4 << 20)
	close(body.more)
	if err := gateway.NewPlaces().ReadAndRelease(t.Context(), &http.Response{Body: body}); err == nil || body.read.Load() != 1<<20+1 {
		t.Errorf("%v, %d bytes were read", err, body.read.Load())
	}
}

// TestLongAnswersKeepTheirBytes: the buffers are used again, the answers are not changed by it.
func TestLongAnswersKeepTheirBytes(t *testing.T) {
	n := 0
	app := openAPI(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		long := strings.Repeat(fmt.Sprint(n%10), 100<<10)
		answering(200, signedAnswer(t, alipay.MethodTradeQuery, `{"code":"10000","msg":"Success",`+numbers(alipay.MethodTradeQuery)+`,"store_name":"`+long+`"}`))(w, r)
	})
	var replies []alipay.Reply
	for range 3 * gateway.LongAnswers {
		rep, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.Query())
		if err != nil {
			t.Fatal(err)
		}
		replies = append(replies, rep)
	}
	for i, rep := range replies {
		if want := strings.Repeat(fmt.Sprint((i+1)%10), 100<<10); !strings.Contains(string(rep.Body), want) {
			t.Errorf("answer %d has other bytes now", i+1)
		}
	}
}
