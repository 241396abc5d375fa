package consume

// CommittedByBridge reports whether the bridge itself wrote the committed offset of a partition, with
// its text, for this very place. If not, its partition stops at the next start.
func CommittedByBridge(cluster string, topicID [16]byte, group string, tp TopicPartition, offset int64, text string) bool {
	at := place{cluster: cluster, topicID: topicID, group: group, partition: tp.Partition}
	_, err := at.read(offset, text)
	return err == nil
}
