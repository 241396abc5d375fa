package standalone

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/outbox"
	"alipay-kafka-bridge/internal/simulator/wire"
)

// maxBody is the size limit of a list of faults and of a trade.
const maxBody = 1 << 20

// adminHandler shows the state of the simulator, acts for buyers and adds faults.
// name is the host of its address, which requests may name.
func adminHandler(sim *simulator.Simulator, name string) http.Handler {
	m := http.NewServeMux()
	show := func(path string, what func(*http.Request) any) {
		m.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { answerJSON(w, what(r)) })
	}
	m.HandleFunc("GET /journal", func(w http.ResponseWriter, _ *http.Request) { writeJournal(w, sim.Journal()) })
	show("/totals", func(*http.Request) any { return sim.Totals() })
	show("/tally", func(r *http.Request) any { return sim.Tally(r.URL.Query().Get("order")) })
	show("/trades", func(*http.Request) any { return sim.Trades() })
	show("/hk-orders", func(*http.Request) any { return sim.HKOrders() })
	show("/notifications", func(*http.Request) any { return sim.Notifications() })
	show("/clock", func(*http.Request) any { return map[string]time.Time{"now": sim.Now()} })
	m.HandleFunc("GET /trades/{number}", func(w http.ResponseWriter, r *http.Request) { answerTrade(w, r, sim) })
	m.HandleFunc("POST /trades/{number}/{act}", func(w http.ResponseWriter, r *http.Request) { actOnTrade(w, r, sim) })
	m.HandleFunc("POST /trades", func(w http.ResponseWriter, r *http.Request) { addTrade(w, r, sim) })
	m.HandleFunc("POST /notifications/faults", func(w http.ResponseWriter, r *http.Request) { addNotificationFaults(w, r, sim) })
	m.HandleFunc("POST /faults", func(w http.ResponseWriter, r *http.Request) { addFaults(w, r, sim) })
	m.HandleFunc("POST /clock", func(w http.ResponseWriter, r *http.Request) { moveClock(w, r, sim) })
	m.HandleFunc("POST /notifications/{id}/send", func(w http.ResponseWriter, r *http.Request) {
		if err := sim.SendAgain(r.PathValue("id")); err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		answerJSON(w, map[string]bool{"done": true})
	})
	for pattern, do := range map[string]func(){
		"DELETE /faults": sim.ClearFaults, "POST /reset": sim.Reset, "DELETE /notifications/faults": sim.ClearNotificationFaults,
		"POST /outage/start": sim.StartOutage, "POST /outage/stop": sim.StopOutage,
		"POST /notifications/hold": sim.HoldNotifications, "POST /notifications/release": sim.ReleaseNotifications,
	} {
		m.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
			do()
			answerJSON(w, map[string]bool{"done": true})
		})
	}
	return onlyThisHost(name, http.NewCrossOriginProtection().Handler(m)) // a web page must not control it
}

// onlyThisHost refuses requests whose Host is neither this machine nor name, and those that come from a page of
// another origin. A page whose name was bound to 127.0.0.1 meanwhile (DNS rebinding) has
// the same origin as far as its browser knows; only its Host gives it away.
func onlyThisHost(name string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostOf(r.Host)
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		ip := net.ParseIP(host)
		known := host == "localhost" || name != "" && host == name || ip != nil && (ip.IsLoopback() || local != nil && hostOf(local.String()) == ip.String())
		if !known {
			http.Error(w, "the Host of this request is not the simulator's; use localhost or its address", http.StatusMisdirectedRequest)
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" {
			if u, err := url.Parse(origin); err != nil || u.Host != r.Host {
				http.Error(w, "a page of another origin must not use the simulator", http.StatusForbidden)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// hostOf returns an address without its port.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

func answerTrade(w http.ResponseWriter, r *http.Request, sim *simulator.Simulator) {
	t, ok := sim.Trade(r.PathValue("number"))
	if !ok {
		http.Error(w, "there is no such trade", http.StatusNotFound)
		return
	}
	answerJSON(w, t)
}

// addTrade adds a trade that no call created.
func addTrade(w http.ResponseWriter, r *http.Request, sim *simulator.Simulator) {
	var c TradeConfig
	if err := decode(http.MaxBytesReader(w, r.Body, maxBody), &c); err != nil {
		http.Error(w, "read the trade: "+err.Error(), http.StatusBadRequest)
		return
	}
	if err := sim.AddTrade(c.trade()); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	answerJSON(w, map[string]bool{"done": true})
}

// actOnTrade acts for the buyer or the merchant of a trade.
func actOnTrade(w http.ResponseWriter, r *http.Request, sim *simulator.Simulator) {
	q := r.URL.Query()
	step := simulator.Step{Do: simulator.Act(r.PathValue("act")), Seller: q.Get("seller"), Currency: q.Get("currency")}
	if text := q.Get("amount"); text != "" {
		var err error
		if step.Amount, err = wire.ParseYuan(text); err != nil {
			http.Error(w, "amount: "+err.Error(), http.StatusBadRequest)
			return
		}
	}
	if err := sim.Do(r.PathValue("number"), step); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	answerTrade(w, r, sim)
}

func addFaults(w http.ResponseWriter, r *http.Request, sim *simulator.Simulator) {
	faults, err := LoadFaults(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, f := range faults {
		sim.AddFault(f)
	}
	answerJSON(w, map[string]int{"added": len(faults)})
}

// addNotificationFaults adds faults for the notifications that follow.
func addNotificationFaults(w http.ResponseWriter, r *http.Request, sim *simulator.Simulator) {
	var list []outbox.Fault
	err := decode(http.MaxBytesReader(w, r.Body, maxBody), &list)
	for i := 0; err == nil && i < len(list); i++ {
		err = list[i].Check()
	}
	if err != nil {
		http.Error(w, "read faults: "+err.Error(), http.StatusBadRequest)
		return
	}
	for _, f := range list {
		sim.AddNotificationFault(f)
	}
	answerJSON(w, map[string]int{"added": len(list)})
}

// moveClock advances the simulated time.
func moveClock(w http.ResponseWriter, r *http.Request, sim *simulator.Simulator) {
	d, err := time.ParseDuration(r.URL.Query().Get("advance"))
	if err != nil || d < 0 {
		http.Error(w, "advance must be a duration such as 4m", http.StatusBadRequest)
		return
	}
	sim.Advance(d)
	answerJSON(w, map[string]time.Time{"now": sim.Now()})
}

func answerJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client is gone
}
