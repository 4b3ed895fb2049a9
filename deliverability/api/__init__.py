"""The use cases: the only code that joins network, files, plug-ins and checks.

Each comes in two forms: ``trace_async`` to be awaited, ``trace`` that blocks.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from deliverability.api.observe import Observe, settling
from deliverability.api.requests import Network, Pick, Reader, Request
from deliverability.errors import AmbiguousError
from deliverability.evidence.bundle import Assessment
from deliverability.evidence.observation import DnsQuestion, HttpsQuestion, Observation, Question, SmtpProbe

if TYPE_CHECKING:
    from deliverability.api.reporting import ReportResult
    from deliverability.api.tracing import Told, TraceResult
    from deliverability.capture.dns import DnsObserver

__all__ = [
    "Network",
    "Pick",
    "Reader",
    "ReportResult",
    "Request",
    "Told",
    "TraceResult",
    "check_address",
    "check_address_async",
    "check_domain",
    "check_domain_async",
    "check_message",
    "check_message_async",
    "render",
    "report",
    "report_async",
    "trace",
    "trace_async",
]


_HOMES = {"ReportResult": "reporting", "Told": "tracing", "TraceResult": "tracing"}


def __getattr__(name: str) -> Any:
    """What only a report or a trace needs: it brings the words of all pages, or the reading of logs, along."""
    if name not in _HOMES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"deliverability.api.{_HOMES[name]}"), name)


async def trace_async(request: Request) -> "TraceResult":
    """What the logs say about a notice, and what may be claimed of it.

    Several messages may match; :attr:`TraceResult.picked_one` says so.  Raises
    :class:`~deliverability.errors.UsageError` for a question that cannot be meant and
    :class:`~deliverability.errors.CannotLookError` for logs that cannot be read.
    """
    from deliverability.api.tracing import claims, read_logs

    now = _now(request)
    found, unread = read_logs(request)
    result = await claims(request, found, _observer(request), now)
    return replace(result, unread=unread)


async def report_async(request: Request) -> "ReportResult":
    """The assessment of every delivery that was asked about, all checks included.

    Raises :class:`~deliverability.errors.AmbiguousError` when several messages match and ``request.pick`` does not
    say which; else as :func:`trace_async`.
    """
    from deliverability.api.reporting import assess_all

    request = request.checked()
    now = _now(request)
    observe = _observer(request)
    traced = await trace_async(replace(request, now=now))
    if not traced.picked_one:
        raise AmbiguousError(f"{len(traced.trace.messages)} messages match", traced)
    return await assess_all(request, traced, observe, now)


async def check_domain_async(name: str, request: Request | None = None) -> Assessment:
    """What can be said of a domain's SPF, DKIM and DMARC before anything is sent."""
    from deliverability.api.reporting import assess_domain

    request = (request or Request()).checked()
    return await assess_domain(request, name, _observer(request), _now(request))


def trace(request: Request) -> "TraceResult":
    """What the logs say about a notice, and what may be claimed of it: :func:`trace_async`, blocking."""
    return settling(lambda: trace_async(request), "trace")


def report(request: Request) -> "ReportResult":
    """The assessment of every delivery that was asked about, for :func:`render`: :func:`report_async`, blocking."""
    return settling(lambda: report_async(request), "report")


def check_domain(name: str, request: Request | None = None) -> Assessment:
    """A domain's SPF, DKIM and DMARC before anything is sent: :func:`check_domain_async`, blocking."""
    return settling(lambda: check_domain_async(name, request), "check_domain")


def render(
    assessment: Assessment, reader: Reader | None = None, form: str = "text", request: Request | None = None
) -> bytes:
    """One assessment as a page: ``form`` is ``text``, ``html`` or ``json``; ``request`` brings the configuration."""
    from deliverability.api import rendering

    return rendering.render(assessment, reader or Reader(), form, request or Request())


async def check_message_async(mail: bytes, request: Request | None = None, *, bulk: bool | None = None) -> Assessment:
    """What can be said of a message before it is sent; ``bulk`` says whether it is subscribed or marketing mail."""
    from deliverability.api import preflight

    return await preflight.check_message_async(mail, request, bulk=bulk)


async def check_address_async(address: str, request: Request | None = None, about: str | None = None) -> Assessment:
    """What can be said of an address before anything is sent to it; ``about`` is the domain the notice is about."""
    from deliverability.api import preflight

    return await preflight.check_address_async(address, request, about)


def check_message(mail: bytes, request: Request | None = None, *, bulk: bool | None = None) -> Assessment:
    """A message, as its octets, before it is sent: :func:`check_message_async`, blocking."""
    return settling(lambda: check_message_async(mail, request, bulk=bulk), "check_message")


def check_address(address: str, request: Request | None = None, about: str | None = None) -> Assessment:
    """An address before anything is sent to it: :func:`check_address_async`, blocking."""
    return settling(lambda: check_address_async(address, request, about), "check_address")


def _now(request: Request) -> datetime:
    return request.now or datetime.now(UTC)


def _observer(request: Request) -> Observe | None:
    """Whoever looks things up for this request; ``None`` when the network is not to be asked."""
    if request.network.offline:
        return None
    from deliverability.capture.dns import DnsObserver, parse_nameserver

    servers = request.network.nameservers or request.configuration.nameservers
    dns = DnsObserver(nameservers=tuple(parse_nameserver(s) for s in servers), timeout_seconds=request.network.timeout)

    if not request.asked_for:

        async def observe(questions: Iterable[Question]) -> tuple[Observation, ...]:
            return await dns.observe(q for q in questions if isinstance(q, DnsQuestion))

        return observe
    return _beyond_dns(dns)


def _beyond_dns(dns: "DnsObserver") -> Observe:
    """An observer that also opens connections: only for those who asked for a check that needs it."""
    import asyncio

    from deliverability.capture._connect import resolver
    from deliverability.capture.https import HttpsObserver
    from deliverability.capture.smtp_probe import SmtpObserver

    resolve = resolver(dns)
    https, smtp = HttpsObserver(resolve=resolve), SmtpObserver(resolve=resolve)

    async def observe(questions: Iterable[Question]) -> tuple[Observation, ...]:
        wanted = tuple(questions)
        parts = await asyncio.gather(
            dns.observe(q for q in wanted if isinstance(q, DnsQuestion)),
            https.observe(q for q in wanted if isinstance(q, HttpsQuestion)),
            smtp.observe(q for q in wanted if isinstance(q, SmtpProbe)),
        )
        return tuple(o for part in parts for o in part)

    return observe
