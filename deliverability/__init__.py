"""Shows that a notice was dispatched, no stronger than the evidence, and helps the customer keep the next one.

>>> import deliverability
>>> result = deliverability.trace(deliverability.Request(logs=("mail.log",), to=("mei@gmail.com",)))  # doctest: +SKIP

Each use case blocks, or is awaited as ``…_async``.  Names are resolved when they are first used (PEP 562), so that
importing the package costs nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deliverability.api import (
        Network,
        Pick,
        Reader,
        ReportResult,
        Request,
        TraceResult,
        check_address,
        check_address_async,
        check_domain,
        check_domain_async,
        check_message,
        check_message_async,
        render,
        report,
        report_async,
        trace,
        trace_async,
    )
    from deliverability.api.mailer import Mailer
    from deliverability.api.receipts import (
        Receipt,
        SendingError,
    )
    from deliverability.errors import DeliverabilityError

__all__ = [
    "DeliverabilityError",
    "Mailer",
    "Network",
    "Pick",
    "Reader",
    "Receipt",
    "ReportResult",
    "Request",
    "SendingError",
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

_HOMES = {
    "Mailer": "deliverability.api.mailer",
    **dict.fromkeys(
        ("Receipt", "SendingError"),
        "deliverability.api.receipts",
    ),
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = _HOMES.get(name) or ("deliverability.errors" if name.endswith("Error") else "deliverability.api")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
