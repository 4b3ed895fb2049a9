"""One file per protocol: bytes or text in, values out, nothing asked of the network."""
