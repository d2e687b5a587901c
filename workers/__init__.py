"""Celery: drain the outbox, release, sweep. Run with `celery -A workers.main worker`."""
