"""What a trained run is for: recordings in, embeddings, neighbours and predictions out."""
