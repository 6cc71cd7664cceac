"""Observations as oracles are given them: of hits in the default form, and of a bare text."""

from corpora.record import Hit
from reseek.agent.observation import Observation, observed
from reseek.agent.prompts import written


def shown(*hits: Hit) -> Observation:
    """An observation that shows these hits whole."""
    form = written(hits)
    return observed(hits, form.text, form.spans)


def page(title: str, text: str) -> Observation:
    """An observation of one passage."""
    return shown(Hit(title, title, text, 1.0))


def said(text: str) -> Observation:
    """An observation of a text without passages."""
    return Observation((), text)
