package consume

// What the external tests look into.
type (
	Window   = window
	Span     = span
	Position = position
	Place    = place
)

var (
	NewWindow      = newWindow
	ErrForeignText = errForeignText
)

func NewPosition(next int64, ahead ...Span) Position { return Position{next: next, ahead: ahead} }
func NewSpan(from, to int64) Span                    { return Span{from, to} }
func NewPlace(cluster string, topicID [16]byte, group string, partition int32) Place {
	return Place{cluster: cluster, topicID: topicID, group: group, partition: partition, count: 8}
}
func (p position) Next() int64                                  { return p.next }
func (p position) Covers(o int64) bool                          { return p.covers(o) }
func (w *window) Admits(o int64) bool                           { return w.admits(o) }
func (w *window) Admit(o int64) bool                            { return w.admit(o) }
func (w *window) Position(finished []int64) position            { return w.position(finished) }
func (w *window) Settle(finished []int64)                       { w.settle(finished) }
func (w *window) High() int64                                   { return w.high }
func (at place) Text(p position) (string, error)                { return at.text(p) }
func (at place) Read(next int64, text string) (position, error) { return at.read(next, text) }
