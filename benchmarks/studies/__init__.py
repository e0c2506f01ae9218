"""Studies, each a script with a page or a table of the documentation."""
