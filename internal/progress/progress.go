// Package progress shows how far a command is that takes long: on a terminal in one line that goes
// away at the end, elsewhere in a line now and then.
package progress

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
)

// Mode is how progress is shown.
type Mode string

// The modes.
const (
	Auto  Mode = "auto"  // tty on a terminal, plain elsewhere
	TTY   Mode = "tty"   // one line that is written again and again
	Plain Mode = "plain" // a line now and then
	None  Mode = "none"
)

// Modes are the words of the flag --progress.
func Modes() []string { return []string{string(Auto), string(TTY), string(Plain), string(None)} }

// When progress is shown. What ends within the first second shows nothing.
const (
	quiet     = time.Second
	redraw    = 200 * time.Millisecond // of the line on a terminal
	plainTime = 5 * time.Second        // between two lines elsewhere
	plainPart = 0.05                   // of the whole, which also makes a line
)

// Options say where progress is shown.
type Options struct {
	Mode     Mode
	Terminal bool // w is one
	Width    int  // of the terminal; 0: 80
	What     string
	Thing    string // what is counted, such as event; empty: nothing is
}

// Bar is the progress of one piece of work. Its methods may be called at the same time; those of a nil
// Bar do nothing.
type Bar struct {
	w       io.Writer
	o       Options
	began   time.Time
	stop    chan struct{}
	stopped sync.WaitGroup
	ended   sync.Once

	mu     sync.Mutex
	done   int64
	total  int64     // 0: not known
	drawn  bool      // a line is on the terminal
	lastAt time.Time // of the last plain line
	last   float64   // part that it said
}

// Start begins. The caller ends it with [Bar.End], which waits for its goroutine.
func Start(w io.Writer, o Options) *Bar {
	if o.Mode == Auto || o.Mode == "" {
		o.Mode = Plain
		if o.Terminal {
			o.Mode = TTY
		}
	}
	if o.Width == 0 {
		o.Width = 80
	}
	b := &Bar{w: w, o: o, began: time.Now(), lastAt: time.Now(), stop: make(chan struct{})}
	if o.Mode != None {
		b.stopped.Go(b.run)
	}
	return b
}

// Total says how much there is to do.
func (b *Bar) Total(n int64) {
	if b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.total = n
	}
}

// Add says that so much more is done.
func (b *Bar) Add(n int64) {
	if b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.done += n
	}
}

// End removes the line from the terminal. It may be called again.
func (b *Bar) End() {
	if b == nil {
		return
	}
	b.ended.Do(func() { close(b.stop) })
	b.stopped.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
}

// Above returns a writer for the same terminal: what it writes takes the place of the line, which comes
// back below.
func (b *Bar) Above(w io.Writer) io.Writer {
	if b == nil {
		return w
	}
	return above{b, w}
}

type above struct {
	b *Bar
	w io.Writer
}

func (a above) Write(p []byte) (int, error) {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	a.b.clear()
	return a.w.Write(p)
}

// run shows lines until the end.
func (b *Bar) run() {
	every := redraw
	if b.o.Mode == Plain {
		every = quiet
	}
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		select {
		case <-b.stop:
			return
		case <-ticks.C:
			if time.Since(b.began) > quiet {
				b.show(time.Now())
			}
		}
	}
}

func (b *Bar) show(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	line := b.line(now)
	if b.o.Mode == TTY {
		_, _ = io.WriteString(b.w, "\r"+text.Snip(line, b.o.Width-1, "~")+"\x1b[K") // progress has no remedy
		b.drawn = true
		return
	}
	if now.Sub(b.lastAt) < plainTime && b.part()-b.last < plainPart {
		return
	}
	b.lastAt, b.last = now, b.part()
	_, _ = io.WriteString(b.w, line+"\n")
}

// clear removes the line. The caller has the lock.
func (b *Bar) clear() {
	if b.drawn {
		_, _ = io.WriteString(b.w, "\r\x1b[K")
		b.drawn = false
	}
}

// part is what is done of the whole.
func (b *Bar) part() float64 {
	if b.total <= 0 {
		return 0
	}
	return min(1, float64(b.done)/float64(b.total))
}

// line says what is done, how fast, and how long the rest takes at that speed.
func (b *Bar) line(now time.Time) string {
	took := now.Sub(b.began)
	parts := []string{b.o.What}
	if b.o.Thing != "" {
		count := fmt.Sprintf("%d %ss", b.done, b.o.Thing)
		if b.total > 0 {
			count = fmt.Sprintf("%d of %d %ss, %d %%", b.done, b.total, b.o.Thing, int(100*b.part()))
		}
		parts = append(parts, count)
		if rate := float64(b.done) / took.Seconds(); b.done > 0 {
			parts = append(parts, fmt.Sprintf("%.0f/s", rate))
			if b.total > b.done {
				left := time.Duration(float64(b.total-b.done) / rate * float64(time.Second))
				return strings.Join(append(parts, left.Round(time.Second).String()+" left"), ", ")
			}
		}
	}
	return strings.Join(append(parts, "for "+took.Round(time.Second).String()), ", ")
}
