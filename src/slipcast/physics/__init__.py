"""The physics: sea floor, faults, displacement, propagation and ruptures. Plain functions of arrays."""
