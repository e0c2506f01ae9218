"""Second implementations that tests and benchmarks compare with."""
