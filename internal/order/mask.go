package order

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/schemas"
)

// Masker hides what may name a person in results, snapshots and notifications (security O7): fields that
// the schemas mark as personal data, and in JSON texts every member that no document names.
// The nil Masker hides all of it.
type Masker struct {
	key     []byte
	cleared map[string]clearedFields // by topic
}

// MaskOptions configure how outputs are masked. The zero MaskOptions drop personal data everywhere.
type MaskOptions struct {
	// Key of HMAC-SHA256, at least 32 bytes, one for the installation: the same person has the
	// same mask in all outputs. Without it values are dropped. (A hash without a key can be
	// guessed: a buyer's id has 16 digits, of which few are free.)
	Key []byte
	// Clear lists, by topic, the fields that are shown as they are: personal fields with their
	// members in JSON texts, or whole texts (reply_json, body_json, more, unparsed).
	Clear map[string][]string
}

// minMaskKey is what HMAC-SHA256 uses in full (RFC 2104, "Keys").
const minMaskKey = 32

// schemaMasks are what a schema's docs say about its fields.
type schemaMasks struct {
	personal map[string]bool   // personal fields, by path
	lists    map[string]bool   // where such fields are inside a list: "goods[]."
	wire     map[string]string // personal members of an answer: path to the field that clears it
	allowed  map[string]bool   // members of an answer that documents name and that identify no one
}

// Fields that hold an answer, or parts of one.
var (
	jsonFields = []string{"reply_json", "body_json"}
	partFields = []string{"more", "unparsed"}
)

var outputMasks = masksOf(schemas.CallResult, schemas.TradeSnapshot, schemas.TradeNotification)

// masksOf reads the docs of our own schemas.
func masksOf(texts ...string) schemaMasks {
	m := schemaMasks{personal: map[string]bool{}, lists: map[string]bool{}, wire: map[string]string{}, allowed: map[string]bool{}}
	for _, text := range texts {
		fields, err := schemas.Fields(text)
		if err != nil {
			panic("order: " + err.Error())
		}
		for path, field := range fields {
			if field.Personal {
				m.personal[path] = true
				if i := strings.LastIndexByte(path, '.'); i >= 0 {
					m.lists[path[:i+1]] = true
				}
			}
			for _, place := range field.Places {
				if field.Personal {
					m.wire[place.Member] = path
				} else {
					m.allowed[place.Member] = true
				}
			}
		}
	}
	return m
}

// MaskedFields returns the fields that [MaskOptions].Clear may name.
func MaskedFields() []string {
	fields := slices.Concat(slices.Collect(maps.Keys(outputMasks.personal)), jsonFields, partFields, paramTexts, []string{paramsField})
	slices.Sort(fields)
	return fields
}

// NewMasker checks the options.
func NewMasker(o MaskOptions) (*Masker, error) {
	if len(o.Key) > 0 && len(o.Key) < minMaskKey {
		return nil, fmt.Errorf("the masking key has %d bytes; use at least %d", len(o.Key), minMaskKey)
	}
	m := &Masker{key: o.Key, cleared: map[string]clearedFields{}}
	for topic, fields := range o.Clear {
		m.cleared[topic] = clearedFields{}
		for _, f := range fields {
			if !slices.Contains(MaskedFields(), f) {
				return nil, fmt.Errorf("topic %s: %q is not a masked field; use one of %s", topic, f, strings.Join(MaskedFields(), ", "))
			}
			m.cleared[topic][f] = true
		}
	}
	return m, nil
}

// String hides the key.
func (m *Masker) String() string { return "masker" }

// clearedFields are the fields that one topic shows.
type clearedFields map[string]bool

// view is what readers of one topic see.
type view struct {
	m       *Masker
	cleared clearedFields
}

// of returns the view of a topic's readers.
func (m *Masker) of(topic string) avro.Mask {
	v := view{m: m}
	if m != nil {
		v.cleared = m.cleared[topic]
	}
	return v
}

// Text implements [avro.Mask].
func (v view) Text(inside, field, text string) string {
	path := field
	if inside != "" {
		if !outputMasks.lists[inside] {
			return text
		}
		path = inside + field
	}
	switch {
	case v.cleared[path]:
	case outputMasks.personal[path]:
		return v.m.hide(text)
	case slices.Contains(jsonFields, path):
		return v.m.maskJSON(v.cleared.shows, "", text)
	case slices.Contains(paramTexts, path):
		return v.m.maskParam(v.cleared, field, text)
	}
	return text
}

// Entry implements [avro.Mask].
func (v view) Entry(inside, field, key, text string) string {
	switch {
	case inside != "" || v.cleared[field]:
	case slices.Contains(partFields, field):
		return v.m.maskJSON(v.cleared.shows, key, text)
	case field == paramsField:
		return v.m.maskParam(v.cleared, key, text)
	}
	return text
}

// hiddenText replaces a hidden value in a JSON text.
const hiddenText = "masked"

// hide returns the mask of a value: "hmac:" and 128 bits in hex digits; nothing without a key.
func (m *Masker) hide(value string) string {
	if m == nil || len(m.key) == 0 {
		return ""
	}
	h := hmac.New(sha256.New, m.key)
	h.Write([]byte(value))
	return "hmac:" + hex.EncodeToString(h.Sum(nil)[:16])
}

// shows reports whether the member at this path of an answer is shown.
func (cleared clearedFields) shows(path []byte) bool {
	return outputMasks.allowed[string(path)] || cleared[outputMasks.wire[string(path)]]
}

// shown reports whether the member at this path of an answer, or of a notification, is shown.
type shown = func(path []byte) bool

// maskJSON hides the members of a JSON text that may name a person. The text is at this
// path of an answer.
func (m *Masker) maskJSON(shows shown, path, text string) string {
	if !json.Valid([]byte(text)) {
		if shows([]byte(path)) {
			return text
		}
		return m.hide(text)
	}
	r := jsonRewriter{in: text, out: make([]byte, 0, len(text)), path: append(make([]byte, 0, 64), path...), leaf: func(path []byte, literal string) (string, bool) {
		return m.leaf(shows, path, literal)
	}}
	r.value()
	return string(r.out)
}

// leaf returns the replacement of a literal that may not be shown. An empty one is not hidden.
func (m *Masker) leaf(shows shown, path []byte, literal string) (mask string, hide bool) {
	if literal == "null" || literal == `""` || shows(path) {
		return "", false
	}
	if m == nil || len(m.key) == 0 {
		return hiddenText, true
	}
	value := literal
	if literal[0] == '"' {
		// The same person has the same mask as a field and as a member.
		if err := json.Unmarshal([]byte(literal), &value); err != nil {
			return hiddenText, true
		}
	}
	return m.hide(value), true
}
