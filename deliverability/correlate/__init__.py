"""Delivery events of all formats and hosts → the story of one message to one recipient.  Pure."""

from deliverability.correlate.clock import TimeHints, resolve_times
from deliverability.correlate.stories import Query, tell

__all__ = ["Query", "TimeHints", "resolve_times", "tell"]
