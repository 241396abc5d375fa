package avro

// Verify is what [Codec.Decode] checks before goavro sees the bytes.
func (c *Codec) Verify(b []byte) error { return verify(c.root, b) }
