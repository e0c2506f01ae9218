"""Single experiments."""
