package schemas

import (
	"encoding/json"
	"regexp"
	"strings"
)

// Place is where a field stands on Alipay's side.
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

// Places reads the "Wire:" tags of a schema: for the path of each field, as
// items[].price, the places that its doc names. Fields without a tag are there too.
func Places(text string) (map[string][]Place, error) {
	var root any
	if err := json.Unmarshal([]byte(text), &root); err != nil {
		return nil, err
	}
	w := wireWalk{named: map[string]map[string]any{}, places: map[string][]Place{}}
	w.typ("", root)
	return w.places, nil
}

type wireWalk struct {
	named  map[string]map[string]any // records by name: the second use is a name only
	places map[string][]Place
}

// typ looks for records in a type that stands at this path.
func (w wireWalk) typ(path string, t any) {
	switch t := t.(type) {
	case string:
		if record, ok := w.named[t]; ok {
			w.fields(path, record)
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
			w.fields(path, t)
		case t["items"] != nil:
			w.typ(path+"[]", t["items"])
		case t["values"] != nil:
			w.typ(path+"[]", t["values"])
		}
	}
}

func (w wireWalk) fields(path string, record map[string]any) {
	if path != "" {
		path += "."
	}
	list, _ := record["fields"].([]any)
	for _, f := range list {
		field, _ := f.(map[string]any)
		name, _ := field["name"].(string)
		doc, _ := field["doc"].(string)
		w.places[path+name] = placesIn(doc)
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
