package avro

// Verify is what [Codec.Decode] checks before goavro sees the bytes.
func (c *Codec) Verify(b []byte) error {
	_, _, err := verify(c.root, b, nil)
	return err
}
