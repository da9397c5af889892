"""Text in, embeddings out."""
