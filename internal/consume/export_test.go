package consume

// HeldBytes returns what the engine counts as held, and the sum over what is held.
func (e *Engine) HeldBytes() (counted, held int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.bytes, e.heldBytes()
}
