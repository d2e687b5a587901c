"""The REST API: a module for each noun."""

from portal.api import cases, openapi, reports

BLUEPRINTS = (reports.bp, cases.bp, openapi.bp)
