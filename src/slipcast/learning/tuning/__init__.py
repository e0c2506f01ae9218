"""Search of training settings."""
