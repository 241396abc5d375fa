// Package tail reads the records of a topic in the order of time, decodes them and shows them.
package tail
