//go:build integration

package integration_test

import (
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// deleteTopic deletes a topic and waits until the broker no longer shows it. The client answers from memory for as
// long as its metadata may be old.
func (e *environment) deleteTopic(name string) {
	e.t.Helper()
	adm := kadm.NewClient(e.client(kgo.MetadataMinAge(50 * time.Millisecond)))
	_, err := adm.DeleteTopic(e.t.Context(), name)
	must(e.t, err)
	await(e.t, "topic "+name+" is gone", patience, func() bool {
		topics, err := adm.ListTopics(e.t.Context(), name)
		return err == nil && !topics.Has(name)
	})
}

// createTopic makes a topic; the broker may still be busy with its deletion.
func (e *environment) createTopic(name string, partitions int32) {
	e.t.Helper()
	adm := kadm.NewClient(e.client())
	await(e.t, "topic "+name+" exists again", patience, func() bool {
		_, err := adm.CreateTopic(e.t.Context(), partitions, 1, nil, name)
		return err == nil
	})
}
