package jsonscan_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"testing"

	"alipay-kafka-bridge/internal/alipay/jsonscan"
)

// FuzzScanner holds the scanner against encoding/json.
func FuzzScanner(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e+3,true,null,"x\u0041\/"],"b":{}}`, `{}`, `[1]`, `{"a":1,"a":2}`, ` {"a" : "b" } `, `{"a":1,}`, base64.StdEncoding.EncodeToString([]byte("x"))} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := jsonscan.ParseObject(b)
		valid := json.Valid(b)
		if err == nil && !valid {
			t.Errorf("the scanner accepts %q", b)
		}
		object := bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("{"))
		if errors.Is(err, jsonscan.ErrSyntax) && valid && object && bytes.Count(b, []byte("["))+bytes.Count(b, []byte("{")) < 60 {
			t.Errorf("the scanner refuses %q: %v", b, err)
		}
	})
}
