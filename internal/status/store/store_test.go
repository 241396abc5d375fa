package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/status/store"
)

var start = time.UnixMilli(1_750_000_000_000).UTC()

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, folder string, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(folder, o)
	check(t, err)
	return s
}

// reopen closes the store and opens it again, and returns what it logged then.
func reopen(t testing.TB, s *store.Store, folder, group string) (*store.Store, string) {
	t.Helper()
	if s != nil {
		check(t, s.Close())
	}
	var text bytes.Buffer
	s = open(t, folder, store.Options{Group: group, Log: slog.New(slog.NewTextHandler(&text, nil))})
	return s, text.String()
}

func checkpoint(next int64) store.Checkpoint {
	return store.Checkpoint{TopicID: [16]byte{1, 2, 15: 3}, Next: next, At: start.Add(time.Duration(next) * time.Second)}
}

func entry(key, value string, due time.Time) store.Entry {
	e := store.Entry{Key: []byte(key), Due: due}
	if value != "" {
		e.Value = []byte(value)
	}
	return e
}

func wantValue(t *testing.T, s *store.Store, partition int32, key, want string) {
	t.Helper()
	got, err := s.Get(partition, []byte(key))
	check(t, err)
	if string(got) != want || (got == nil) != (want == "") {
		t.Errorf("partition %d, %s: %q, want %q", partition, key, got, want)
	}
}

func wantNext(t *testing.T, s *store.Store, partition int32, want int64) {
	t.Helper()
	cp, ok, err := s.Checkpoint(partition)
	check(t, err)
	if ok != (want != 0) || ok && cp != checkpoint(want) {
		t.Errorf("partition %d: checkpoint %+v, %t; want %+v", partition, cp, ok, checkpoint(want))
	}
}

// due lists the orders that are due until a time.
func due(t *testing.T, s *store.Store, partition int32, until time.Time, limit int) (list []string) {
	t.Helper()
	check(t, s.Due(partition, until, limit, func(key, value []byte, at time.Time) error {
		list = append(list, fmt.Sprintf("%s=%s@%d", key, value, at.Sub(start)/time.Second))
		return nil
	}))
	return list
}

func wantDue(t *testing.T, s *store.Store, until time.Time, want ...string) {
	t.Helper()
	if got := due(t, s, 1, until, 100); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("due: %v, want %v", got, want)
	}
}

func at(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

func TestValuesAndCheckpointsSurviveClosing(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "store")
	s := open(t, folder, store.Options{Group: "g"})
	wantNext(t, s, 1, 0)
	check(t, s.Write(1, checkpoint(5), []store.Entry{entry("a", "1", time.Time{}), entry("b", "2", at(3))}))
	check(t, s.Write(2, checkpoint(9), []store.Entry{entry("a", "other", time.Time{})}))
	check(t, s.Write(1, checkpoint(6), []store.Entry{entry("a", "", time.Time{})}))
	s, log := reopen(t, s, folder, "g")
	wantValue(t, s, 1, "a", "")
	wantValue(t, s, 1, "b", "2")
	wantValue(t, s, 2, "a", "other")
	wantNext(t, s, 1, 6)
	wantNext(t, s, 2, 9)
	wantDue(t, s, at(3), "b=2@3")
	if s.Size() == 0 || log != "" {
		t.Errorf("size %d, log %q", s.Size(), log)
	}
	if info, _ := os.Stat(folder); info.Mode().Perm() != 0o700 {
		t.Errorf("mode of the folder: %v", info.Mode())
	}
	check(t, s.Close())
}

func TestResultsAreCopies(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	defer s.Close()
	check(t, s.Write(1, checkpoint(1), []store.Entry{entry("a", "abc", at(1))}))
	got, err := s.Get(1, []byte("a"))
	check(t, err)
	copy(got, "xyz")
	wantValue(t, s, 1, "a", "abc")
	wantDue(t, s, at(1), "a=abc@1")
}

func TestDueOrders(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	defer s.Close()
	check(t, s.Write(1, checkpoint(1), []store.Entry{entry("late", "l", at(300)), entry("b", "b", at(20)), entry("a", "a", at(20)), entry("first", "f", at(-5)), entry("paid", "p", time.Time{})}))
	check(t, s.Write(2, checkpoint(1), []store.Entry{entry("other partition", "o", at(1))}))
	wantDue(t, s, at(20), "first=f@-5", "a=a@20", "b=b@20")
	if got := due(t, s, 1, at(500), 2); fmt.Sprint(got) != "[first=f@-5 a=a@20]" {
		t.Errorf("two of them: %v", got)
	}
	wantDue(t, s, at(-6))

	stop := errors.New("stop")
	calls := 0
	err := s.Due(1, at(20), 10, func([]byte, []byte, time.Time) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// A newer value of an order replaces its earlier due time, and leaves nothing in the index.
func TestANewValueHasItsOwnDueTime(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	defer s.Close()
	check(t, s.Write(1, checkpoint(1), []store.Entry{entry("a", "1", at(1)), entry("b", "1", at(1)), entry("c", "1", at(1)), entry("d", "1", at(1))}))
	check(t, s.Write(1, checkpoint(2), []store.Entry{entry("a", "2", at(2)), entry("b", "2", time.Time{}), entry("c", "", time.Time{}), entry("d", "2", at(1))}))
	wantDue(t, s, at(1), "d=2@1")
	wantDue(t, s, at(9), "d=2@1", "a=2@2")
	n, err := s.IndexEntries(1)
	check(t, err)
	if n != 2 {
		t.Errorf("%d index entries, want 2: of a and d", n)
	}
}

// TestStaleIndexEntriesAreDroppedInParts: after a restore there may be millions. One call must not read them all.
func TestStaleIndexEntriesAreDroppedInParts(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{Group: "g"})
	entries := make([]store.Entry, 50_000)
	for version := range 2 { // the second version is due later
		for i := range entries {
			entries[i] = entry(fmt.Sprint(i), "v", at(1+version*1000))
		}
		check(t, s.Write(1, checkpoint(int64(1+version)), entries))
	}
	check(t, s.Write(1, checkpoint(3), []store.Entry{entry("pending", "v", at(2))}))
	calls := 0
	for ; len(due(t, s, 1, at(3), 10)) == 0; calls++ {
		if calls == 10 {
			t.Fatal("the order behind the stale entries is never due")
		}
	}
	n, err := s.IndexEntries(1)
	check(t, err)
	if calls != 2 || n != len(entries)+1 {
		t.Errorf("%d calls dropped stale entries alone, want 2; the index has %d entries, want %d", calls, n, len(entries)+1)
	}
	check(t, s.Close())
}

func TestPostpone(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	defer s.Close()
	check(t, s.Write(1, checkpoint(1), []store.Entry{entry("a", "1", at(1)), entry("b", "1", at(1)), entry("c", "1", at(1))}))
	check(t, s.Postpone(1, []byte("a"), at(1), at(7)))
	check(t, s.Postpone(1, []byte("b"), at(1), time.Time{}))
	check(t, s.Postpone(1, []byte("c"), at(2), at(8))) // not its time: a newer value came
	check(t, s.Postpone(1, []byte("unknown"), at(2), at(8)))
	wantDue(t, s, at(9), "c=1@1", "a=1@7")
	wantValue(t, s, 1, "b", "1")
	n, err := s.IndexEntries(1)
	check(t, err)
	if n != 2 {
		t.Errorf("%d index entries, want 2", n)
	}
}

func TestWipeForgetsOnePartition(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	defer s.Close()
	for _, p := range []int32{0, 1, 2, 255, 256} {
		check(t, s.Write(p, checkpoint(4), []store.Entry{entry("a", "1", at(1)), entry("\xff\xff", "1", time.Time{})}))
	}
	for _, p := range []int32{1, 255} {
		check(t, s.Wipe(p))
		wantValue(t, s, p, "a", "")
		wantValue(t, s, p, "\xff\xff", "")
		wantNext(t, s, p, 0)
		if n, _ := s.IndexEntries(p); n != 0 {
			t.Errorf("partition %d: %d index entries are left", p, n)
		}
	}
	for _, p := range []int32{0, 2, 256} {
		wantValue(t, s, p, "\xff\xff", "1")
		wantNext(t, s, p, 4)
	}
	check(t, s.Write(1, checkpoint(1), []store.Entry{entry("b", "2", at(1))}))
	wantDue(t, s, at(1), "b=2@1")
}

func TestASecondProcessIsRefused(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder, store.Options{})
	if _, err := store.Open(folder, store.Options{}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("second open: %v", err)
	}
	check(t, s.Close())
	check(t, open(t, folder, store.Options{}).Close())
}

func TestAnotherGroupStartsEmpty(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder, store.Options{Group: "one"})
	check(t, s.Write(1, checkpoint(1), []store.Entry{entry("a", "1", at(1))}))
	s, log := reopen(t, s, folder, "two")
	wantValue(t, s, 1, "a", "")
	wantNext(t, s, 1, 0)
	if strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "another group") {
		t.Errorf("log: %s", log)
	}
	_, log = reopen(t, s, folder, "two")
	if log != "" {
		t.Errorf("the wiped store is not accepted: %s", log)
	}
}

// A folder with other files might be anyone's: it is refused, and nothing in it changes.
func TestForeignFilesAreNeverTouched(t *testing.T) {
	for _, name := range []string{"orders.csv", "STORE.old", "000001.txt", ".bashrc", "sub"} {
		folder := t.TempDir()
		s := open(t, folder, store.Options{Group: "one"})
		check(t, s.Write(1, checkpoint(1), []store.Entry{entry("a", "1", at(1))}))
		check(t, s.Close())
		path := filepath.Join(folder, name)
		if name == "sub" {
			check(t, os.Mkdir(path, 0o700))
		} else {
			check(t, os.WriteFile(path, []byte("mine"), 0o600))
		}
		before, _ := os.ReadDir(folder)
		if _, err := store.Open(folder, store.Options{Group: "two"}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := os.ReadDir(folder); len(after) != len(before) {
			t.Errorf("%s: %d files, before %d", name, len(after), len(before))
		}
	}
	folder := t.TempDir() // the root of a volume has this one
	check(t, os.Mkdir(filepath.Join(folder, "lost+found"), 0o700))
	check(t, open(t, folder, store.Options{}).Close())
}

// Pages have all orders of one partition, each once, in order.
func TestPages(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{Group: "g"})
	defer s.Close()
	for partition := range int32(3) {
		var entries []store.Entry
		for i := range 10 {
			entries = append(entries, entry(fmt.Sprintf("%d-%d", partition, i), "v", start))
		}
		check(t, s.Write(partition, checkpoint(10), entries))
	}
	for limit, want := range map[int]int{1: 11, 3: 4, 5: 3, 100: 1} {
		var got []string
		pages := 0
		for behind, more := []byte(nil), true; more; pages++ {
			var err error
			behind, err = s.Page(1, behind, limit, func(key, value []byte) error {
				got = append(got, string(key)+string(value))
				return nil
			})
			check(t, err)
			more = behind != nil
		}
		if len(got) != 10 || got[0] != "1-0v" || got[9] != "1-9v" || pages != want {
			t.Errorf("pages of %d: %d pages with %q", limit, pages, got)
		}
	}
	if _, err := s.Page(1, nil, 5, func([]byte, []byte) error { return os.ErrInvalid }); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("an error of the caller: %v", err)
	}
}
