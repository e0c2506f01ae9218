"""Storage of events, samples and results."""
