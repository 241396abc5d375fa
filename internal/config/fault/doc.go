// Package fault collects what is wrong in a settings file: each fault with its line, its key and
// what would be right. It also has the checks of single values that all settings share.
package fault
