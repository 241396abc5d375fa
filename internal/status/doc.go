// Package status is the pipeline that merges observations into trade-status: one record for each change of an
// order, with a version that grows by one. It runs on the engine. The state of a partition is what its partition
// of trade-status holds; a disk store has most of it, so that a restart reads only the end of the topic.
//
// A merge lives in memory until its transaction is known to be committed. Only then the store has it.
package status
