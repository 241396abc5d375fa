package avro

// Verify is what [Codec.Decode] checks before it reserves memory.
func (c *Codec) Verify(b []byte) error {
	_, _, err := verify(c.root, b, nil)
	return err
}
