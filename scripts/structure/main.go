// Command structure shows how the code is divided: for each package its lines, its package-level
// names, and the share of calls to unexported functions and methods whose function is in another
// file of the package. Tests are not counted.
//
//	go run ./scripts/structure [PACKAGES]
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"text/tabwriter"
)

// listed is what `go list` prints for a package.
type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Export     string // file with the compiler's export data
	DepOnly    bool   // only imported, not asked for
}

// figures are the counts of one package, or of all.
type figures struct {
	lines, files, names int
	calls, elsewhere    int // calls to unexported functions; those whose function is in another file
}

func (f *figures) add(other figures) {
	f.lines += other.lines
	f.files += other.files
	f.names += other.names
	f.calls += other.calls
	f.elsewhere += other.elsewhere
}

func (f figures) share() string {
	if f.calls == 0 {
		return "-"
	}
	return fmt.Sprintf("%d %%", (100*f.elsewhere+f.calls/2)/f.calls)
}

func main() {
	if err := run(context.Background(), os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "structure:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, patterns []string) error {
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	all, err := list(ctx, patterns)
	if err != nil {
		return err
	}
	exports := map[string]string{}
	for _, p := range all {
		exports[p.ImportPath] = p.Export
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "lines\tfiles\tnames\tcalls\tin another file\t  package")
	row := func(name string, f figures) {
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%s\t  %s\n", f.lines, f.files, f.names, f.calls, f.share(), name)
	}
	var total figures
	for _, p := range all {
		if p.DepOnly || len(p.GoFiles) == 0 {
			continue
		}
		f, err := measure(p, exports)
		if err != nil {
			return fmt.Errorf("%s: %w", p.ImportPath, err)
		}
		row(p.ImportPath, f)
		total.add(f)
	}
	row("all", total)
	return w.Flush()
}

// list asks the go command for the packages, and for the export data of everything they import.
func list(ctx context.Context, patterns []string) ([]listed, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Dir,GoFiles,Export,DepOnly"}, patterns...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b listed) int { return bytes.Compare([]byte(a.ImportPath), []byte(b.ImportPath)) })
	return all, nil
}

// measure type-checks one package and counts.
func measure(p listed, exports map[string]string) (figures, error) {
	fset := token.NewFileSet()
	var files []*ast.File
	var f figures
	for _, name := range p.GoFiles {
		path := filepath.Join(p.Dir, name)
		src, err := os.ReadFile(path)
		if err != nil {
			return f, err
		}
		file, err := parser.ParseFile(fset, path, src, 0)
		if err != nil {
			return f, err
		}
		files = append(files, file)
		f.lines += bytes.Count(src, []byte("\n"))
	}
	f.files = len(files)
	open := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", open)}
	pkg, err := conf.Check(p.ImportPath, fset, files, info)
	if err != nil {
		return f, err
	}
	f.names = len(pkg.Scope().Names())
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if callee := called(call, info); callee != nil && callee.Pkg() == pkg && !callee.Exported() {
				f.calls++
				if fset.Position(callee.Pos()).Filename != fset.Position(call.Pos()).Filename {
					f.elsewhere++
				}
			}
			return true
		})
	}
	return f, nil
}

// called returns the function or method that a call names; nil for conversions, builtins and function
// values.
func called(call *ast.CallExpr, info *types.Info) *types.Func {
	fun := ast.Unparen(call.Fun)
	switch generic := fun.(type) {
	case *ast.IndexExpr:
		fun = generic.X
	case *ast.IndexListExpr:
		fun = generic.X
	}
	var name *ast.Ident
	switch x := fun.(type) {
	case *ast.Ident:
		name = x
	case *ast.SelectorExpr:
		name = x.Sel
	default:
		return nil
	}
	f, _ := info.Uses[name].(*types.Func)
	if f == nil {
		return nil
	}
	return f.Origin()
}
