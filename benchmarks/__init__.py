"""Measurements: ``python -m benchmarks`` compares parts of the library with what they replace."""
