"""Benchmarks of polysemy: against other engines, kernel by kernel, and of the whole encoder."""
