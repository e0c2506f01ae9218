"""Green's functions of unit sources at gauges, computed by reciprocity."""
