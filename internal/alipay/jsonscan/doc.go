// Package jsonscan reads a JSON object in place: it keeps the exact bytes of each value, which
// are what Alipay signs, and refuses a member that is named twice. encoding/json does neither.
package jsonscan
