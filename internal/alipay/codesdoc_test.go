package alipay_test

import (
	"cmp"
	"os"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
)

// docRow is a row of a table of docs/codes.md, with the method of its section.
type docRow struct {
	method alipay.Method
	cells  []string
}

func docRows(t *testing.T, section string) []docRow {
	t.Helper()
	text, err := os.ReadFile("../../docs/codes.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []docRow
	title := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if h, ok := strings.CutPrefix(line, "## "); ok {
			title = strings.Replace(h, "The classic gateway, any method", "*", 1)
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if !strings.HasPrefix(line, "| ") || cells[0] == " code " || (title == section) != (section != "") {
			continue
		}
		for i := range cells {
			cells[i] = strings.Trim(cells[i], " `")
		}
		rows = append(rows, docRow{alipay.Method(title), cells})
	}
	return rows
}

// classified is what the program makes of a signed answer, in the words of the document.
func classified(m alipay.Method, code, subCode string) (class, stops, health string) {
	c := alipay.Classify(m, code, subCode)
	if m == alipay.MethodHKOrderSync {
		c = alipay.ClassifyHK(code, subCode, true)
	}
	if c.Class == alipay.Misconfigured {
		stops = c.Scope.String()
	}
	words := map[alipay.Health]string{alipay.Healthy: "healthy", alipay.Failing: "failing", alipay.Neutral: "not judged"}
	return c.Class.String(), stops, words[alipay.HealthOf(&alipay.Error{Class: c.Class, Healthy: c.Healthy})]
}

func TestEveryCodeOfTheDocument(t *testing.T) {
	methods := alipaytest.Load[alipaytest.ErrorTable](t, "openapi/errors.json").Methods
	documented := map[string]bool{}
	for _, row := range docRows(t, "") {
		if row.method == "Codes that no table has" {
			continue
		}
		code, sub := row.cells[0], row.cells[1]
		documented[string(row.method)+" "+strings.TrimPrefix(sub, "isv.")] = row.cells[5] != ""
		for _, m := range methods(row.method) {
			class, stops, health := classified(m, code, sub)
			if class != row.cells[2] || stops != row.cells[3] || health != row.cells[4] {
				t.Errorf("%s %s %s: %s, %q, %s; the document says %v", m, code, sub, class, stops, health, row.cells[2:5])
			}
		}
	}
	for method, codes := range alipay.KnownCodes() {
		for _, code := range codes {
			if !documented[string(cmp.Or(method, "*"))+" "+code] {
				t.Errorf("docs/codes.md has no row for %s %s", method, code)
			}
		}
	}
	if len(documented) < 130 {
		t.Errorf("%d rows were read", len(documented))
	}
}

func TestCodesThatNoTableHas(t *testing.T) {
	rows := docRows(t, "Codes that no table has")
	if len(rows) != 11 {
		t.Errorf("%d rows", len(rows))
	}
	for _, row := range rows {
		for code := range strings.SplitSeq(row.cells[0], ", ") {
			code = strings.Replace(strings.Replace(code, "other status", "X", 1), "others", "59999", 1)
			for _, m := range []alipay.Method{alipay.MethodTradeCreate, alipay.MethodTradeQuery, alipay.MethodOrderInfoSync, alipay.MethodItemOrderQuery, alipay.MethodHKOrderSync} {
				hk := strings.Contains("F U X", code)
				if of := row.cells[1]; of != string(m) && of != "any" && (of != "others" || m == alipay.MethodTradeCreate) || hk != (m == alipay.MethodHKOrderSync) {
					continue
				}
				for _, sub := range []string{"", "NEVER_HEARD_OF", "isv.never-heard-of", "ACQ.NEVER_HEARD_OF", "koubei.NEVER_HEARD_OF", "."} {
					if class, _, health := classified(m, code, sub); class != row.cells[2] || health != row.cells[3] {
						t.Errorf("%s %s %q: %s, %s; the document says %v", m, code, sub, class, health, row.cells[2:4])
					}
				}
			}
		}
	}
}

// TestOneCodeHasManyPrefixes: the pages write business codes with ACQ. and without, real answers with others.
func TestOneCodeHasManyPrefixes(t *testing.T) {
	methods := []alipay.Method{alipay.MethodTradeCreate, alipay.MethodTradeQuery, alipay.MethodOrderInfoSync, alipay.MethodItemOrderQuery}
	for _, prefix := range []string{"", "ACQ.", "acq.", "isv.", "isp.", "aop.", "aop.ACQ.", "koubei.", "KOUBEI."} {
		for _, m := range methods {
			for _, name := range []string{"SYSTEM_ERROR", "system_error", "system-error", "unknow-error", "unknown-error"} {
				for _, code := range []string{"40004", "20000", "40002", "59999"} {
					want := alipay.Transient
					if m == alipay.MethodTradeCreate {
						want = alipay.Ambiguous
					}
					if c := alipay.Classify(m, code, prefix+name); c.Class != want || c.Healthy || c.Alert {
						t.Errorf("%s %s %s%s: %+v, want %v", m, code, prefix, name, c, want)
					}
				}
			}
			if c := alipay.Classify(m, "40004", prefix+"INVALID_PARAMETER"); c.Class != alipay.Rejected || c.Alert {
				t.Errorf("%s %sINVALID_PARAMETER: %+v", m, prefix, c)
			}
		}
		if c := alipay.ClassifyHK("F", prefix+"SYSTEM_ERROR", true); c.Class != alipay.Transient {
			t.Errorf("HK %sSYSTEM_ERROR: %+v", prefix, c)
		}
		notFound := &alipay.Error{Class: alipay.Classify(alipay.MethodTradeQuery, "40004", prefix+"TRADE_NOT_EXIST").Class, SubCode: prefix + "TRADE_NOT_EXIST"}
		if !alipay.IsTradeNotFound(notFound) {
			t.Errorf("%s is not a trade that does not exist", notFound.SubCode)
		}
	}
}

// TestHealth: what becomes of a call and whether Alipay works are two questions.
func TestHealth(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want alipay.Health
	}{
		{"no error", nil, alipay.Healthy},
		{"refused", &alipay.Error{Class: alipay.Rejected}, alipay.Healthy},
		{"accepted", &alipay.Error{Class: alipay.Accepted}, alipay.Healthy},
		{"the number has a trade", &alipay.Error{Class: alipay.Ambiguous, Healthy: true}, alipay.Healthy},
		{"lost", &alipay.Error{Class: alipay.Ambiguous}, alipay.Failing},
		{"busy", &alipay.Error{Class: alipay.Transient}, alipay.Failing},
		{"throttled", &alipay.Error{Class: alipay.Throttled}, alipay.Failing},
		{"wrong keys", &alipay.Error{Class: alipay.Misconfigured}, alipay.Neutral},
		{"not Alipay's", &alipay.Error{Class: alipay.Untrusted}, alipay.Neutral},
		{"never sent: too late", alipay.ErrLate, alipay.Neutral},
		{"never sent: a wrong field", &alipay.Error{Class: alipay.Rejected, Err: &alipay.FieldError{Field: "subject", Reason: "charset"}}, alipay.Neutral},
		{"something else", os.ErrClosed, alipay.Failing},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := alipay.HealthOf(tt.err); got != tt.want {
				t.Errorf("HealthOf(%v) = %v, want %v", tt.err, got, tt.want)
			}
		})
	}
	for _, sub := range []string{"ACQ.TRADE_HAS_SUCCESS", "ACQ.CONTEXT_INCONSISTENT", "ACQ.NEVER_HEARD_OF"} {
		if c := alipay.ClassifyUnsigned(alipay.MethodTradeCreate, "40004", sub); c.Healthy || c.Class != alipay.Ambiguous {
			t.Errorf("unsigned %s: %+v", sub, c)
		}
	}
	if c := alipay.ClassifyUnsigned(alipay.MethodTradeCreate, "59999", ""); c.Healthy {
		t.Errorf("an unsigned answer with an unknown code: %+v", c)
	}
}
