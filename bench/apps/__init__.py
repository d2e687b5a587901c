"""WSGI applications that the benchmark starts, each in a process of its own."""
