"""In which language and time zone a reader gets an answer."""

from collections.abc import Mapping

from deliverability.api.requests import Reader, Request
from deliverability.errors import UsageError, printable
from deliverability.evidence.languages import LANGUAGES

DEFAULT_ZONES: Mapping[str, str] = {"zh-Hant-TW": "Asia/Taipei"}


def language_of(reader: Reader, request: Request) -> str:
    """The language that a reader asked for, else the configuration's first, else English."""
    chosen = reader.lang or next(iter(request.configuration.report.languages), LANGUAGES[0])
    if chosen not in LANGUAGES:
        raise UsageError(f"no language {printable(chosen)!r}; there are {', '.join(LANGUAGES)}")
    return chosen


def zone_of(reader: Reader, request: Request) -> str:
    """The name of the zone of the reader's days and hours, else the configuration's, else the language's."""
    given = reader.zone or request.configuration.report.timezone
    return given or DEFAULT_ZONES.get(language_of(reader, request), "UTC")
