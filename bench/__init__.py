"""The benchmark of the TAXII server: `python -m bench --help`. Nothing of the service imports it."""
