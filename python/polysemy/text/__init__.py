"""Text to token ids, and batches of any form to the one ragged form of the core."""
