"""Data: from raw files to a store, and from a store to batches of views on the device."""
