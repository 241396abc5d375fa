// Package timeline is what the topics have of one order, and what an operator decides about it: to accept a trade that
// is held, or to forget it.
package timeline
