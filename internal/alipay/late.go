package alipay

import "errors"

// ErrLate says that a request was not sent, because its event's life ended while it waited.
var ErrLate = errors.New("not sent: the event's life has ended")
