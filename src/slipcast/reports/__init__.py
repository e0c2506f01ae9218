"""Reports: self-contained pages and figures of runs."""
