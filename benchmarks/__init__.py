"""Benchmarks with side-by-side measurements: each is a command that prints a table and, last, one JSON object."""
