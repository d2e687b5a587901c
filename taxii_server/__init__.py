"""The TAXII 2.1 server: medallion's views, our accounts, our data. Opens the released store and nothing else."""

from taxii_server.app import close, create_app

__all__ = ["close", "create_app"]
