package notify

import (
	"crypto/subtle"
	"strings"

	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/order"
)

// Account is a merchant that receives notifications.
type Account struct {
	Name        order.Account
	Environment string
	Channel     order.Channel
	Verifier    *gateway.Verifier
	// Tokens that may end the path; empty: the path ends with the name. Trades keep the address that
	// they were created with, so old tokens stay valid for long (security N8).
	Tokens []string
}

// pathPrefix is in front of the account in the path.
const pathPrefix = "/notify/"

// find returns the account that a path names: a claim that the signature has to prove. nil: there is no such path.
func find(accounts map[order.Account]*Account, path string) *Account {
	rest, ok := strings.CutPrefix(path, pathPrefix)
	name, token, _ := strings.Cut(rest, "/")
	a := accounts[order.Account(name)]
	if !ok || a == nil || !a.opens(token) {
		return nil
	}
	return a
}

// opens compares the rest of a path with the tokens, in a time that does not depend on how much of it is right.
func (a *Account) opens(token string) bool {
	if len(a.Tokens) == 0 {
		return token == ""
	}
	same := 0
	for _, t := range a.Tokens {
		same |= subtle.ConstantTimeCompare([]byte(t), []byte(token))
	}
	return same == 1
}
