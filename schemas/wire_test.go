package schemas_test

import (
	"encoding/json"
	"maps"
	"os"
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

// methodOf is the API that a page of testdata describes, as the "Wire:" tags have it.
func methodOf(t *testing.T, page string) string {
	t.Helper()
	fields, err := schemas.Fields(`{"name":"R","type":"record","fields":[{"name":"f","type":"int","doc":"Wire: ` + page + `.member."}]}`)
	if err != nil || len(fields["f"].Places) != 1 {
		t.Fatalf("no tag names page %s: %v, %v", page, fields, err)
	}
	return fields["f"].Places[0].Method
}

// wireTags returns the places that the docs of these schemas name after "Wire:",
// each with the path of the field that names it.
func wireTags(t *testing.T, texts ...string) map[schemas.Place]string {
	t.Helper()
	tags := map[schemas.Place]string{}
	for _, text := range texts {
		fields, err := schemas.Fields(text)
		if err != nil {
			t.Fatal(err)
		}
		for path, field := range fields {
			for _, place := range field.Places {
				tags[place] = path
			}
		}
	}
	return tags
}

// hasPlace says whether a tag names the field, or a member of it: an object is reached by its members.
func hasPlace(tags map[schemas.Place]string, method, field string) bool {
	for tag := range maps.Keys(tags) {
		if tag.Method == method && strings.HasPrefix(tag.Member+".", field+".") {
			return true
		}
	}
	return false
}

func TestEveryRequestFieldHasAWayIn(t *testing.T) {
	tags := wireTags(t, schemas.OrderEvent)
	for name, p := range pages(t) {
		for _, field := range p.Request {
			if p.Elsewhere[field] == "" && !hasPlace(tags, methodOf(t, name), field) {
				t.Errorf("%s, %q: no field of OrderEvent leads there", p.Title, field)
			}
		}
	}
}

func TestEveryResponseFieldHasAPlace(t *testing.T) {
	tags := wireTags(t, schemas.CallResult, schemas.TradeSnapshot)
	for name, p := range pages(t) {
		for _, field := range p.Response {
			if !hasPlace(tags, methodOf(t, name), field) {
				t.Errorf("%s, %q: no field of an output keeps it", p.Title, field)
			}
		}
	}
}

func TestEveryNewerFieldHasAPlace(t *testing.T) {
	tags := wireTags(t, schemas.OrderEvent, schemas.CallResult, schemas.TradeSnapshot)
	for name, p := range pages(t) {
		for _, field := range p.Newer {
			if !hasPlace(tags, methodOf(t, name), field) {
				t.Errorf("%s, %q (2026): no field leads there", p.Title, field)
			}
		}
	}
}

// A tag with a slip of the pen would make the tests above blind.
func TestEveryWireTagIsDocumented(t *testing.T) {
	known := map[string]page{}
	for name, p := range pages(t) {
		known[methodOf(t, name)] = p
	}
	for direction, texts := range map[string][]string{
		"in":  {schemas.OrderEvent},
		"out": {schemas.CallResult, schemas.TradeSnapshot},
	} {
		for tag, path := range wireTags(t, texts...) {
			p := known[tag.Method]
			documented := p.Request
			if direction == "out" {
				documented = p.Response
			}
			if !slices.Contains(documented, tag.Member) && !slices.Contains(p.Newer, tag.Member) {
				t.Errorf("%s: Wire names %s, which %s does not have", path, tag, p.Title)
			}
		}
	}
}

func TestFieldsFollowPaths(t *testing.T) {
	fields, err := schemas.Fields(schemas.OrderEvent)
	if err != nil {
		t.Fatal(err)
	}
	want := []schemas.Place{{Method: "alipay.trade.create", Member: "goods_detail.price"}}
	if got := fields["items[].price"].Places; !slices.Equal(got, want) {
		t.Errorf("items[].price leads to %v, want %v", got, want)
	}
	for _, path := range []string{"total.minor", "discount.currency", "receiver.name", "event_type"} {
		if _, known := fields[path]; !known {
			t.Errorf("no field at %s", path)
		}
	}
	if !fields["buyer_user_id"].Personal || fields["store_id"].Personal {
		t.Error("the buyer's id is personal data, the store's is not")
	}
}
