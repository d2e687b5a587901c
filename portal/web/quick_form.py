"""The questions of the quick report on other pages than the reporter's own: with an emergency code, and at the desk."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from flask import request

from exchange import form
from exchange.errors import Invalid
from exchange.times import JST, utcnow
from portal import language

Typed = dict[str, list[str]]
_NOT_ANSWERS = {"csrf_token", "idempotency_key", "action", "lang"}


def typed(*besides: str) -> Typed:
    """Everything typed, as typed, but what this page asks `besides` the questions."""
    given = request.form.to_dict(flat=False)
    return {name: values for name, values in given.items() if name not in _NOT_ANSWERS | set(besides)}


def this_moment() -> Typed:
    """What a new form has filled in: now, in Japan."""
    now = utcnow().astimezone(JST)
    return {"aware_date": [f"{now:%Y-%m-%d}"], "aware_time": [f"{now:%H:%M}"], "aware_fidelity": ["minute"]}


def shown(
    values: Mapping[str, list[str]], wrong: Invalid | None = None, *, without: Collection[str] = (), first: str = ""
) -> dict[str, Any]:
    """What a template needs for the questions, and for what is wrong with the answers, in the order of the page.

    Args:
        first: the field that this page asks before the questions.
    """
    order, lang = [first, *form.ASKED], language.chosen()
    problems = sorted(
        wrong.problems if wrong else [], key=lambda p: order.index(p.field) if p.field in order else len(order)
    )
    return {
        "fields": [field for name, field in form.ASKED.items() if name not in without],
        "values": values,
        "errors": [(problem.field, form.message(problem, lang)) for problem in problems],
    }
