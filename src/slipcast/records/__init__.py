"""Records of sea level at gauges: the labelled array that every inversion takes."""
