"""Has only to type-check: the public API as a caller uses it."""

from datetime import datetime

import deliverability
from deliverability import Network, Pick, Reader, ReportResult, Request, TraceResult
from deliverability.capture._connect import Resolve, resolver
from deliverability.capture.dns import DnsSession


def blocking(log: str) -> str:
    request = Request(logs=(log,), to=("mei@gmail.com",), pick=Pick.LATEST, network=Network(offline=True))
    traced: TraceResult = deliverability.trace(request)
    states: list[str] = [told.claim.state for told in traced.told]
    result: ReportResult = deliverability.report(request)
    pages: list[bytes] = [deliverability.render(a, Reader(lang="en"), "text") for a in result.assessments]
    times: list[datetime | None] = [a.instant for told in traced.told for a in told.delivery.attempts]
    return f"{states} {len(pages)} {times}"


def resolving(session: DnsSession) -> Resolve:
    return resolver(session)  # whoever observes the DNS will do


async def awaited() -> bool:
    assessment = await deliverability.check_domain_async("hosting.example")
    return all(verdict.outcome == "pass" for verdict in assessment.verdicts)
