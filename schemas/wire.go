package schemas

import (
	"encoding/json"
	"regexp"
	"strings"
)

// Place is where a field is on Alipay's side.
type Place struct {
	Method string // the API, as Alipay names it
	Member string // of its request or answer, e.g. goods_detail.price
}

func (p Place) String() string { return p.Method + " " + p.Member }

// pageMethods are the short names of Alipay's pages in "Wire:" tags.
var pageMethods = map[string]string{
	"create": "alipay.trade.create",
	"query":  "alipay.trade.query",
	"sync":   "alipay.trade.orderinfo.sync",
	"koubei": "koubei.trade.itemorder.query",
	"hk":     "alipayhk.merchant.order.sync",
}

// gatewayPages share the public members of one gateway, which a tag writes as *.member.
var gatewayPages = []string{"create", "query", "sync", "koubei"}

// wireTag matches one place on the wire: page.member, or *.member for every page of the gateway.
var wireTag = regexp.MustCompile(`(\*|\b(?:create|query|sync|koubei|hk))\.([A-Za-z_][A-Za-z0-9_.]*[A-Za-z0-9_])`)

// Field is what a field's doc says for programs.
type Field struct {
	Places   []Place // after "Wire:"
	Personal bool    // "Personal data": masked in outputs (security O7)
}

// personalData is how a doc marks what may identify a person.
const personalData = "Personal data"

// Fields reads the docs of a schema, by the path of each field, as items[].price.
func Fields(text string) (map[string]Field, error) {
	var root any
	if err := json.Unmarshal([]byte(text), &root); err != nil {
		return nil, err
	}
	w := docWalk{named: map[string]map[string]any{}, fields: map[string]Field{}}
	w.typ("", root)
	return w.fields, nil
}

type docWalk struct {
	named  map[string]map[string]any // records by name: the second use is a name only
	fields map[string]Field
}

// typ looks for records in the type at this path.
func (w docWalk) typ(path string, t any) {
	switch t := t.(type) {
	case string:
		if record, ok := w.named[t]; ok {
			w.record(path, record)
		}
	case []any:
		for _, branch := range t {
			w.typ(path, branch)
		}
	case map[string]any:
		switch {
		case t["fields"] != nil:
			name, _ := t["name"].(string)
			w.named[name] = t
			w.record(path, t)
		case t["items"] != nil:
			w.typ(path+"[]", t["items"])
		case t["values"] != nil:
			w.typ(path+"[]", t["values"])
		}
	}
}

func (w docWalk) record(path string, record map[string]any) {
	if path != "" {
		path += "."
	}
	list, _ := record["fields"].([]any)
	for _, f := range list {
		field, _ := f.(map[string]any)
		name, _ := field["name"].(string)
		doc, _ := field["doc"].(string)
		w.fields[path+name] = Field{placesIn(doc), strings.Contains(doc, personalData)}
		w.typ(path+name, field["type"])
	}
}

// placesIn reads the tags of one doc.
func placesIn(doc string) []Place {
	_, wire, _ := strings.Cut(doc, "Wire: ")
	var places []Place
	for _, m := range wireTag.FindAllStringSubmatch(wire, -1) {
		pages := []string{m[1]}
		if m[1] == "*" {
			pages = gatewayPages
		}
		for _, page := range pages {
			places = append(places, Place{pageMethods[page], m[2]})
		}
	}
	return places
}
