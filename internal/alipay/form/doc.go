// Package form writes and reads the parameters of the classic gateway: forms, the text that is
// signed, and the difference between two such texts.
package form
