// Package inspectcli is the command bridge inspect: it reads files and flags, and prints explanations.
package inspectcli
