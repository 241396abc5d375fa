package repo_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestInteropTable: the table of `make interop` passes only if every cell of the SDKs that were
// called is there and has the expected result.
func TestInteropTable(t *testing.T) {
	if _, err := exec.LookPath("awk"); err != nil {
		t.Skip("awk is missing")
	}
	const (
		modes = "a\tkey\tquery refusal\na\tcert\tquery\nb\tkey\tquery\n"
		known = "a\tcert\t*\tno SN\tits fault\n"
		keys  = "a\tkey\tquery\tok\t\na\tkey\trefusal\tok\t\n"
		certs = "a\tcert\tquery\tfails\tE: no SN\n"
	)
	for _, tt := range []struct {
		name, sdks, cells string
		green             bool
		says              string
	}{
		{"all of one SDK", "a", keys + certs, true, "3 cells run: 2 ok, 1 known failures, 0 bad\n3 passed, 0 failed"},
		{"all of both", "a b", keys + certs + "b\tkey\tquery\tok\t\n", true, "4 passed, 0 failed"},
		{"nothing at all", "a b", "", false, "BAD nothing was run"},
		{"no SDK", "", "", false, "BAD nothing was run"},
		{"a mode is missing", "a", keys, false, "BAD a cert query: was not run"},
		{"an SDK is missing", "a b", keys + certs, false, "BAD b key query: was not run"},
		{"a method is missing", "a", "a\tkey\tquery\tok\t\n" + certs, false, "2 passed, 1 failed"},
		{"one fails", "a", strings.Replace(keys, "ok", "fails", 1) + certs, false, "BAD a key query: fails"},
		{"a cell that is not listed fails", "a", keys + certs + "a\tother\tquery\tfails\tE\n", false, "BAD a other query: fails E"},
		{"known to fail in other words", "a", keys + "a\tcert\tquery\tfails\tE\n", false, `expected to fail with "no SN"`},
		{"known to fail, and works", "a", keys + "a\tcert\tquery\tok\t\n", false, "2 passed, 1 failed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			args := []string{"-v", "sdks=" + tt.sdks, "-f", "interop/table.awk"}
			for _, f := range [][2]string{{"modes.tsv", modes}, {"known.tsv", known}, {"cells", tt.cells}} {
				path := filepath.Join(dir, f[0])
				if err := os.WriteFile(path, []byte(f[1]), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, path)
			}
			out, err := exec.Command("awk", args...).CombinedOutput()
			if green := err == nil; green != tt.green || !strings.Contains(string(out), tt.says) {
				t.Errorf("%v, want green = %v and %q:\n%s", err, tt.green, tt.says, out)
			}
		})
	}
}
