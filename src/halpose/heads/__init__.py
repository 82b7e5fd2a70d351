"""A few labels on a run's embeddings: a classifier that says how sure it is, and when it does not know."""
