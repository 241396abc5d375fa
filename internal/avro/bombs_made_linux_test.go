//go:build !race

package avro_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/schemas"
)

// tinyRecord takes one byte; manyFields is what a reader makes of it.
const (
	tinyRecord = `{"type":"record","name":"Item","fields":[{"name":"a","type":"boolean"}]}`
	manyFields = `{"type":"record","name":"Item","fields":[{"name":"a","type":"boolean"},{"name":"b","type":"string","default":"x"},
	 {"name":"c","type":{"type":"map","values":"string"},"default":{"k":"v"}}]}`
)

func listOf(kind, of string) string { return recordOf(fieldOf(`{"type":"`+kind+`",`+of+`}`, "")) }

// tinyRecords is a list of n records of one byte, in blocks that say their size.
func tinyRecords(n int) []byte {
	b := binary.AppendVarint(nil, int64(n))
	return append(append(b, make([]byte, n)...), 0)
}

// growing is a schema whose items are one boolean for the writer.
func growing() string {
	return recordOf(fieldOf(`{"type":"array","items":{"type":"record","name":"Item","doc":"grow","fields":[{"name":"a","type":"boolean"}]}}`, `,"doc":"grow"`))
}

func longText(n int) []byte {
	return append(binary.AppendVarint(nil, int64(n)), bytes.Repeat([]byte{'x'}, n)...)
}

// askRegistry reads a record with a registry that answers like this.
func askRegistry(answer http.HandlerFunc) string {
	server := httptest.NewServer(answer)
	defer server.Close()
	r, err := avro.NewRegistry(avro.RegistryOptions{URL: server.URL})
	if err != nil {
		return err.Error()
	}
	defer r.Close()
	err = r.Read(context.Background(), "events", avro.MustCodec(schemas.OrderEvent), []byte{0, 0, 0, 0, 1, 2}, func(avro.Reader) {})
	return word(err)
}

// endless never stops writing by itself: the reader hangs up.
func endless(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, `{"schema":"`)
	for chunk := bytes.Repeat([]byte{'x'}, 64<<10); ; {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// gzipBomb is endless in a few bytes.
func gzipBomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	fmt.Fprint(z, `{"schema":"`)
	for chunk := bytes.Repeat([]byte{'x'}, 1<<20); ; {
		if _, err := z.Write(chunk); err != nil {
			return
		}
	}
}

func endlessHeader(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nX-Long: ")
	for chunk := bytes.Repeat([]byte{'x'}, 64<<10); ; {
		if _, err := conn.Write(chunk); err != nil {
			return
		}
	}
}

func anotherSubject(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/versions") {
		fmt.Fprint(w, `[{"subject":"others-value","version":1},{"subject":"events-key","version":1}]`)
		return
	}
	fmt.Fprint(w, schemaAnswer(schemas.OrderEvent))
}

// largeSchema is more than an answer may hold.
func largeSchema(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, schemaAnswer(recordOf(fieldOf(`"int"`, `,"doc":"`+strings.Repeat("x", 1<<20)+`"`))))
}
