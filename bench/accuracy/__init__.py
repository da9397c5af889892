"""How near each precision comes to float64: `python -m bench.accuracy`."""
