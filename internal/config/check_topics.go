package config

import (
	"regexp"
	"slices"

	"alipay-kafka-bridge/internal/config/fault"
)

func (t Topics) check(fs *fault.Findings, accounts []string) {
	if len(t.Inputs) == 0 && !fs.HasFault("topics.inputs") {
		fs.Add("topics.inputs", "is missing; set it to at least one topic with the accounts that its events may name")
	}
	taken := map[string]string{} // the setting that has a topic, by its name
	for i, in := range t.Inputs {
		in.check(fs, fault.Index("topics.inputs", i), accounts, taken)
	}
	for i, in := range t.Queries {
		in.check(fs, fault.Index("topics.queries", i), accounts, taken)
	}
	for _, out := range t.Outputs() {
		checkTopic(fs, "topics."+out.Role, out.Name)
		checkTake(fs, "topics."+out.Role, out.Name, taken)
	}
	t.checkDeadLetters(fs, taken)
	fs.Number("topics.partitions", t.Partitions, 1, 1000)
	fs.Number("topics.replication", t.Replication, 0, 9)
}

// Output is a topic that the bridge writes for all accounts.
type Output struct {
	Role string // its key under topics, and the short name for tail
	Name string
}

// Outputs lists the topics that the bridge writes for all accounts. Dead letters go to topics of
// their inputs.
func (t Topics) Outputs() []Output {
	return []Output{
		{"results", t.Results}, {"snapshots", t.Snapshots}, {"observations", t.Observations}, {"notifications", t.Notifications},
		{"status", t.Status}, {"sweep", t.Sweep}, {"journal", t.Journal},
	}
}

func (in Input) check(fs *fault.Findings, path string, accounts []string, taken map[string]string) {
	checkTopic(fs, path+".name", in.Name)
	checkTake(fs, path+".name", in.Name, taken)
	if fs.Given(path + ".dead_letters") {
		checkTopic(fs, path+".dead_letters", in.DeadLetters)
	}
	if len(in.Accounts) == 0 && !fs.HasFault(path+".accounts") {
		fs.Add(path+".accounts", "is missing; set it to the accounts that events of this topic may name")
	}
	for i, a := range in.Accounts {
		if p := fault.Index(path+".accounts", i); !slices.Contains(accounts, a) {
			fs.Add(p, "is %s, but accounts has no such account%s", fs.Quoted(p), fault.OrAll(fault.DidYouMean(a, accounts), accounts))
		}
	}
	fs.Unique(path+".accounts", in.Accounts)
	in.checkWriters(fs, path)
	if in.DefaultAccount != "" && !slices.Contains(in.Accounts, in.DefaultAccount) {
		fs.Add(path+".default_account", "is %s, which is not one of the accounts of this topic; use one of them", fs.Quoted(path+".default_account"))
	}
}

// Forms of subjects and of the names of Avro records.
var (
	subjectForm = regexp.MustCompile(`^[!-~]{1,255}$`)
	recordForm  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)
)

// checkWriters checks what is said of the producers' schemas.
func (in Input) checkWriters(fs *fault.Findings, path string) {
	if in.Subject != "" && !subjectForm.MatchString(in.Subject) {
		fs.Add(path+".subject", "is %s; use topic, record, topic-record or the name of a subject", fs.Quoted(path+".subject"))
	}
	for i, name := range in.Records {
		p := fault.Index(path+".records", i)
		switch {
		case !recordForm.MatchString(name):
			fs.Add(p, "is %s; use the name of an Avro record, with or without namespace", fs.Quoted(p))
		case name == "any" && len(in.Records) > 1:
			fs.Add(p, "is any, which accepts every record; use it alone")
		}
	}
	fs.Unique(path+".records", in.Records)
}

func checkTopic(fs *fault.Findings, path, name string) {
	if !topicForm.MatchString(name) || name == "." || name == ".." {
		fs.Add(path, "is %s; use up to 249 letters, digits, dots, dashes and underscores", fs.Quoted(path))
	}
}

// checkTake lets only one setting use a topic: an input that is also an output would feed itself.
func checkTake(fs *fault.Findings, path, name string, taken map[string]string) {
	if other := taken[name]; other != "" {
		fs.Add(path, "is the topic %s, which %s uses already; choose another", fault.Quote(name), other)
		return
	}
	taken[name] = path
}

// checkDeadLetters lets inputs share a topic for dead letters, and no other topic.
func (t Topics) checkDeadLetters(fs *fault.Findings, taken map[string]string) {
	for group, inputs := range map[string][]Input{"topics.inputs": t.Inputs, "topics.queries": t.Queries} {
		for i, in := range inputs {
			if other := taken[in.DeadLetters]; other != "" {
				fs.Add(fault.Index(group, i)+".dead_letters", "is the topic %s, which %s uses already; choose another", fault.Quote(in.DeadLetters), other)
			}
		}
	}
}
