"""The documents that authorities get, each a view of the one dictionary, as pages to print or a table to work with."""

from exchange.documents.catalogue import documents_for, fields_of
from exchange.documents.filing import Filing
from exchange.documents.views import Marks, Row, Section, View, marks, view

__all__ = ["Filing", "Marks", "Row", "Section", "View", "documents_for", "fields_of", "marks", "view"]
