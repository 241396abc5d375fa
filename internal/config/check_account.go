package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// timeoutForm is the form of timeout_express (alipay.trade.create, "timeout_express").
var timeoutForm = regexp.MustCompile(`^([1-9][0-9]{0,4}[mhd]|1c)$`)

// maxNotifyURL is the longest notify_url (alipay.trade.create, "notify_url").
const maxNotifyURL = 256

func (c *Config) checkAccounts(fs *findings) {
	if len(c.Accounts) == 0 && !fs.hasFault("accounts") {
		fs.add("accounts", "is missing; want at least one account")
	}
	apps := slices.Sorted(maps.Keys(c.Apps))
	for _, name := range slices.Sorted(maps.Keys(c.Accounts)) {
		path, a := "accounts."+name, c.Accounts[name]
		checkName(fs, path, name)
		switch app, known := c.Apps[a.App]; {
		case a.App == "":
			fs.required(path+".app", true, "one of apps")
		case !known:
			fs.add(path+".app", "is %s, which apps does not have%s", fs.text(path+".app"), orAll(meant(a.App, apps), apps))
		default:
			a.checkApp(fs, path, app)
			a.checkNotifyURL(fs, path+".notify_url", app.Environment)
		}
		a.checkPolicy(fs, path)
	}
}

// channels returns where orders of this kind of app can live.
func (k Kind) channels() []string {
	if k == AlipayHK {
		return []string{"HK"}
	}
	return []string{"TRADE", "CREDIT", "KOUBEI"}
}

func (a Account) checkApp(fs *findings, path string, app App) {
	if app.Kind != OpenAPI && app.Kind != AlipayHK {
		return // its own fault
	}
	if app.Kind == AlipayHK {
		checkForeign(fs, path+".app_auth_token_file", OpenAPI)
		checkForeign(fs, path+".notify_url", OpenAPI)
		if a.Channel != "HK" {
			fs.add(path+".channel", "is %s; an app of kind alipayhk has HK only", fs.text(path+".channel"))
		}
	} else {
		checkForeign(fs, path+".agent_token_file", AlipayHK)
		fs.oneOf(path+".channel", a.Channel, app.Kind.channels()...)
	}
	for i, r := range a.Mapping {
		r.check(fs, index(path+".mapping", i), app.Kind.channels())
	}
}

// checkNotifyURL refuses what Alipay would not call. A simulator calls any port.
func (a Account) checkNotifyURL(fs *findings, path string, env Environment) {
	if a.NotifyURL == "" {
		return
	}
	if len(a.NotifyURL) > maxNotifyURL {
		fs.add(path, "has %d characters; want %d at most", len(a.NotifyURL), maxNotifyURL)
		return
	}
	u, ok := fs.address(path, a.NotifyURL)
	if !ok || env == Simulator {
		return
	}
	if port := u.Port(); port != "" && port != "80" && port != "443" {
		fs.add(path, "uses port %s; Alipay calls 80 and 443 only", port)
	}
	if env == Production && u.Scheme != "https" {
		fs.add(path, "uses http; want https")
	}
}

func (a Account) checkPolicy(fs *findings, path string) {
	fs.oneOf(path+".expires_as", a.ExpiresAs, "time_expire", "timeout_express")
	fs.oneOf(path+".business_params_as", a.BusinessParamsAs, "text", "object")
	if t := a.Defaults.TimeoutExpress; t != "" && !timeoutForm.MatchString(t) {
		fs.add(path+".defaults.timeout_express", "is %s; want a time such as 30m, 12h, 15d or 1c", fs.text(path+".defaults.timeout_express"))
	}
	fs.word(path+".seller_id", a.SellerID)
	fs.length(path+".defaults.product_code", a.Defaults.ProductCode, 64)
	fs.length(path+".defaults.store_id", a.Defaults.StoreID, 32)
	for field, values := range a.Payees {
		p := path + ".payees." + field
		if !slices.Contains(PayeeFields(), field) {
			fs.add(p, "is no field that names a payee; known: %s", strings.Join(PayeeFields(), ", "))
		}
		fs.unique(p, values)
	}
	for i, name := range a.Extra {
		if p := index(path+".extra", i); !extraForm.MatchString(name) {
			fs.add(p, "is %s; want a member's name: a letter, then letters, digits and underscores", fs.text(p))
		}
	}
	fs.unique(path+".extra", a.Extra)
	if a.ExtraMoney && len(a.Extra) == 0 {
		fs.add(path+".extra_money", "lets nothing through without extra; list the members there")
	}
}

func (r Row) check(fs *findings, path string, channels []string) {
	if r.Channel != "" {
		fs.oneOf(path+".channel", r.Channel, channels...)
	}
	fs.allOf(path+".events", r.Events, EventTypes())
	fs.allOf(path+".if", r.If, Conditions())
	switch {
	case (r.Call == "") == (r.Skip == ""):
		fs.add(path, "wants call or skip; give one of them")
	case r.Skip != "" && !wordForm.MatchString(r.Skip):
		fs.add(path+".skip", "is %s; want a reason of lower-case letters, digits and underscores", fs.text(path+".skip"))
	case r.Call != "":
		r.checkCall(fs, path)
	}
	if r.Status != "" && r.Call != CallSync && r.Call != CallHKSync {
		fs.add(path+".status", "is for %s and %s only; leave it out", CallSync, CallHKSync)
	}
}

func (r Row) checkCall(fs *findings, path string) {
	calls := Calls()
	if !fs.oneOf(path+".call", r.Call, slices.Sorted(maps.Keys(calls))...) {
		return
	}
	if r.Channel == "" {
		fs.required(path+".channel", true, strings.Join(calls[r.Call], " or "))
	} else if !slices.Contains(calls[r.Call], r.Channel) {
		fs.add(path+".call", "is %s, which channel %s does not know; see the mapping in docs/DESIGN.md", fs.text(path+".call"), r.Channel)
	}
}
