// Package command is what all commands share: layouts of answers, progress, words of flags, arguments,
// errors with their exit codes, and the pages of help that are about no command.
package command
