"""Neural posterior of slip and waves given records."""
