"""Evaluation of inversion methods on simulated events: scores, verification and test sets of other distributions."""
