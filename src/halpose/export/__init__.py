"""A run outside halpose: one graph from a recording's positions to its embedding, in ONNX or as a torch program."""
