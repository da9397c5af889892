"""How near every precision and every engine comes to float64: `python -m bench.accuracy`."""
