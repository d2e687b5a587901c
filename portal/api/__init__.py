"""The REST API: a module for each noun."""

from portal.api import cases, deadlines, drafts, openapi, reports, webhooks

BLUEPRINTS = (reports.bp, drafts.bp, cases.bp, deadlines.bp, webhooks.bp, openapi.bp)
