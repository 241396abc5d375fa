package schemas_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"alipay-kafka-bridge/schemas"
)

// page lists what one API page of Alipay documents; see testdata/pages.json.
type page struct {
	Title                    string
	Request, Response, Newer []string
	Elsewhere                map[string]string // field to why no event carries it
}

func pages(t *testing.T) map[string]page {
	t.Helper()
	f, err := os.Open("testdata/pages.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var file struct {
		About string
		Pages map[string]page
	}
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	return file.Pages
}

// wireTag matches one place on the wire: page.member, or *.member for every page of the gateway.
var wireTag = regexp.MustCompile(`(\*|\b(?:create|query|sync|koubei|hk))\.([A-Za-z_][A-Za-z0-9_.]*[A-Za-z0-9_])`)

// wireTags returns the places that the docs of these schemas name after "Wire:",
// each with the path of the field that names it.
func wireTags(t *testing.T, texts ...string) map[string]string {
	t.Helper()
	tags := map[string]string{}
	for _, text := range texts {
		visit(parse(t, text), "", func(path string, n map[string]any) {
			doc, _ := n["doc"].(string)
			_, wire, tagged := strings.Cut(doc, "Wire: ")
			if !tagged || n["fields"] != nil {
				return
			}
			for _, m := range wireTag.FindAllStringSubmatch(wire, -1) {
				for _, p := range gatewayPages(m[1]) {
					tags[p+"."+m[2]] = path
				}
			}
		})
	}
	return tags
}

func gatewayPages(name string) []string {
	if name == "*" {
		return []string{"create", "query", "sync", "koubei"}
	}
	return []string{name}
}

// hasPlace says whether a tag names the field, or a member of it: an object is reached by its members.
func hasPlace(tags map[string]string, field string) bool {
	if _, ok := tags[field]; ok {
		return true
	}
	for tag := range maps.Keys(tags) {
		if strings.HasPrefix(tag, field+".") {
			return true
		}
	}
	return false
}

func TestEveryRequestFieldHasAWayIn(t *testing.T) {
	tags := wireTags(t, schemas.OrderEvent)
	for name, p := range pages(t) {
		for _, field := range p.Request {
			if p.Elsewhere[field] == "" && !hasPlace(tags, name+"."+field) {
				t.Errorf("%s, %q: no field of OrderEvent leads there", p.Title, field)
			}
		}
	}
}

func TestEveryResponseFieldHasAPlace(t *testing.T) {
	tags := wireTags(t, schemas.CallResult, schemas.TradeSnapshot)
	for name, p := range pages(t) {
		for _, field := range p.Response {
			if !hasPlace(tags, name+"."+field) {
				t.Errorf("%s, %q: no field of an output keeps it", p.Title, field)
			}
		}
	}
}

func TestEveryNewerFieldHasAPlace(t *testing.T) {
	tags := wireTags(t, schemas.OrderEvent, schemas.CallResult, schemas.TradeSnapshot)
	for name, p := range pages(t) {
		for _, field := range p.Newer {
			if !hasPlace(tags, name+"."+field) {
				t.Errorf("%s, %q (2026): no field leads there", p.Title, field)
			}
		}
	}
}

// A tag with a slip of the pen would make the tests above blind.
func TestEveryWireTagIsDocumented(t *testing.T) {
	known := pages(t)
	for direction, texts := range map[string][]string{
		"in":  {schemas.OrderEvent},
		"out": {schemas.CallResult, schemas.TradeSnapshot},
	} {
		for tag, path := range wireTags(t, texts...) {
			name, field, _ := strings.Cut(tag, ".")
			p := known[name]
			documented := p.Request
			if direction == "out" {
				documented = p.Response
			}
			if !slices.Contains(documented, field) && !slices.Contains(p.Newer, field) {
				t.Errorf("%s: Wire names %s, which %s does not have", path, tag, p.Title)
			}
		}
	}
}
