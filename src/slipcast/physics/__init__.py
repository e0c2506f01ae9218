"""Physics: bathymetry, faults, displacement, propagation and ruptures, as plain functions of arrays."""
