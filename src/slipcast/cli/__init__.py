"""Command line: each verb parses its arguments, calls one function of the library and writes the result."""
