package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"alipay-kafka-bridge/internal/config/fault"
)

// timeoutForm is the form of timeout_express (alipay.trade.create, "timeout_express").
var timeoutForm = regexp.MustCompile(`^([1-9][0-9]{0,4}[mhd]|1c)$`)

// maxNotifyURL is the longest notify_url (alipay.trade.create, "notify_url").
const maxNotifyURL = 256

func (c *Config) checkAccounts(fs *fault.Findings) {
	if len(c.Accounts) == 0 && !fs.HasFault("accounts") {
		fs.Add("accounts", "is missing; set it to at least one account")
	}
	apps := slices.Sorted(maps.Keys(c.Apps))
	for _, name := range slices.Sorted(maps.Keys(c.Accounts)) {
		path, a := "accounts."+name, c.Accounts[name]
		checkName(fs, path, name)
		switch app, known := c.Apps[a.App]; {
		case a.App == "":
			fs.Required(path+".app", true, "one of apps")
		case !known:
			fs.Add(path+".app", "is %s, but apps has no such app%s", fs.Quoted(path+".app"), fault.OrAll(fault.DidYouMean(a.App, apps), apps))
		default:
			a.checkApp(fs, path, app)
			a.checkNotify(fs, path, app)
		}
		a.checkPolicy(fs, path)
	}
}

// channels returns the channels of this kind of app.
func (k Kind) channels() []string {
	if k == AlipayHK {
		return []string{"HK"}
	}
	return []string{"TRADE", "CREDIT", "KOUBEI"}
}

func (a Account) checkApp(fs *fault.Findings, path string, app App) {
	if app.Kind != OpenAPI && app.Kind != AlipayHK {
		return // another fault says so
	}
	if app.Kind == AlipayHK {
		checkForeign(fs, path+".app_auth_token_file", OpenAPI)
		if a.Channel != "HK" {
			fs.Add(path+".channel", "is %s; use HK, the only channel of an app of kind alipayhk", fs.Quoted(path+".channel"))
		}
	} else {
		checkForeign(fs, path+".agent_token_file", AlipayHK)
		fs.OneOf(path+".channel", a.Channel, app.Kind.channels()...)
	}
	checkToken(fs, path+".app_auth_token_file", a.AppAuthTokenFile, maxAppAuthToken)
	checkToken(fs, path+".agent_token_file", a.AgentTokenFile, 0)
	for i, r := range a.Mapping {
		r.check(fs, fault.Index(path+".mapping", i), app.Kind.channels())
	}
}

// maxAppAuthToken is how many characters an app_auth_token has at most (alipay.Merchant).
const maxAppAuthToken = 40

// checkToken refuses the content of a file that cannot be a token: every event of the account would end as a dead letter, although
// nothing is wrong with it.
func checkToken(fs *fault.Findings, path string, f SecretFile, most int) {
	switch text := f.Text.Reveal(); {
	case strings.ContainsAny(text, "\r\n"):
		fs.Add(path, "the file has several lines; put the token alone into it")
	case most > 0 && utf8.RuneCountInString(text) > most:
		fs.Add(path, "the file has %d characters, and a token at most %d; put the token alone into it", utf8.RuneCountInString(text), most)
	}
}

// checkNotifyURL refuses URLs that Alipay would not call. A simulator calls any port.
func (a Account) checkNotifyURL(fs *fault.Findings, path string, env Environment) {
	if a.NotifyURL == "" {
		return
	}
	if len(a.NotifyURL) > maxNotifyURL {
		fs.Add(path, "has %d characters; use at most %d", len(a.NotifyURL), maxNotifyURL)
		return
	}
	u, ok := fs.Address(path, a.NotifyURL)
	if !ok || env == Simulator {
		return
	}
	if port := u.Port(); port != "" && port != "80" && port != "443" {
		fs.Add(path, "uses port %s; use 80 or 443, the only ports that Alipay calls", port)
	}
	if env == Production && u.Scheme != "https" {
		fs.Add(path, "uses http; use https")
	}
}

func (a Account) checkPolicy(fs *fault.Findings, path string) {
	fs.OneOf(path+".expires_as", a.ExpiresAs, "time_expire", "timeout_express")
	fs.OneOf(path+".business_params_as", a.BusinessParamsAs, "text", "object")
	if t := a.Defaults.TimeoutExpress; t != "" && !timeoutForm.MatchString(t) {
		fs.Add(path+".defaults.timeout_express", "is %s; use a time such as 30m, 12h, 15d or 1c", fs.Quoted(path+".defaults.timeout_express"))
	}
	fs.Number(path+".new_orders_per_day", a.NewOrdersPerDay, 0, 1_000_000_000)
	fs.Word(path+".seller_id", a.SellerID)
	fs.Length(path+".defaults.product_code", a.Defaults.ProductCode, 64)
	fs.Length(path+".defaults.store_id", a.Defaults.StoreID, 32)
	for field, values := range a.Payees {
		p := path + ".payees." + field
		if !slices.Contains(PayeeFields(), field) {
			fs.Add(p, "is not a field that names a payee; use one of %s", strings.Join(PayeeFields(), ", "))
		}
		fs.Unique(p, values)
	}
	for i, name := range a.Extra {
		if p := fault.Index(path+".extra", i); !extraForm.MatchString(name) {
			fs.Add(p, "is %s; use the name of a member: a letter, then letters, digits and underscores", fs.Quoted(p))
		}
	}
	fs.Unique(path+".extra", a.Extra)
}

func (r Row) check(fs *fault.Findings, path string, channels []string) {
	if r.Channel != "" {
		fs.OneOf(path+".channel", r.Channel, channels...)
	}
	fs.AllOf(path+".events", r.Events, EventTypes())
	fs.AllOf(path+".if", r.If, Conditions())
	switch {
	case (r.Call == "") == (r.Skip == ""):
		fs.Add(path, "needs either call or skip; set one of them")
	case r.Skip != "" && !wordForm.MatchString(r.Skip):
		fs.Add(path+".skip", "is %s; use a reason of lower-case letters, digits and underscores", fs.Quoted(path+".skip"))
	case r.Call != "":
		r.checkCall(fs, path)
	}
	if r.Status != "" && r.Call != CallSync && r.Call != CallHKSync {
		fs.Add(path+".status", "is for %s and %s only; remove it", CallSync, CallHKSync)
	}
}

func (r Row) checkCall(fs *fault.Findings, path string) {
	calls := Calls()
	if !fs.OneOf(path+".call", r.Call, slices.Sorted(maps.Keys(calls))...) {
		return
	}
	if r.Channel == "" {
		fs.Required(path+".channel", true, strings.Join(calls[r.Call], " or "))
	} else if !slices.Contains(calls[r.Call], r.Channel) {
		fs.Add(path+".call", "is %s, which channel %s does not have; see the mapping in docs/DESIGN.md", fs.Quoted(path+".call"), r.Channel)
	}
}
