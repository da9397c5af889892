"""The whole encoder under pytest-benchmark."""
