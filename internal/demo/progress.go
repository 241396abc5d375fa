package demo

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/audit"
)

// progress shows what happens while the demo runs: on a terminal one line that changes, otherwise one
// line per second.
type progress struct {
	out      io.Writer
	terminal bool
	stage    *stage
	results  *audit.Reader

	mu      sync.Mutex // guards writing
	quit    chan struct{}
	once    sync.Once
	stopped sync.WaitGroup
}

func newProgress(out io.Writer, s *stage, r *audit.Reader) *progress {
	f, isFile := out.(*os.File)
	p := &progress{out: out, terminal: isFile && term.IsTerminal(int(f.Fd())), stage: s, results: r, quit: make(chan struct{})}
	p.stopped.Go(p.run)
	return p
}

func (p *progress) run() {
	every := time.Second
	if p.terminal {
		every = 100 * time.Millisecond
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-tick.C:
			p.line()
		}
	}
}

func (p *progress) line() {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := fmt.Sprintf("sent %d/%d  outcomes %d  %s", p.stage.sent.Load(), len(p.stage.events), p.results.Count(), figuresLine(p.stage.service.Stats()))
	if p.terminal {
		_, _ = fmt.Fprintf(p.out, "\r\033[K%s", p.cut(text))
		return
	}
	_, _ = fmt.Fprintln(p.out, text)
}

// cut makes a line fit: a longer one would be wrapped, and a terminal goes back to its last row only.
func (p *progress) cut(line string) string {
	width := 80
	if f, ok := p.out.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			width = w
		}
	}
	return line[:min(len(line), width-1)] // in ASCII
}

// say prints a line of its own.
func (p *progress) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal {
		_, _ = fmt.Fprint(p.out, "\r\033[K")
	}
	_, _ = fmt.Fprintln(p.out, text)
}

func (p *progress) stop() {
	p.once.Do(func() {
		close(p.quit)
		p.stopped.Wait()
		p.line()
		if p.terminal {
			_, _ = fmt.Fprintln(p.out)
		}
	})
}

// figuresLine shows the state of the service.
func figuresLine(s app.Stats) string {
	return fmt.Sprintf("in flight %d  not settled %d  breakers %d closed, %d open, %d half",
		s.InFlight, s.Unsettled, s.Breakers["closed"], s.Breakers["open"], s.Breakers["half-open"])
}
