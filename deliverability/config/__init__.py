"""``deliverability.toml``: what an operator says about the sending side, read strictly.

:func:`parse` turns text into frozen values and touches neither files nor network nor clock; ``capture.settings``
finds the file, ``capture.host`` writes one.  Every fault is a :class:`~deliverability.errors.CannotLookError` that
names the file, the key, what was wrong and what to do: a half-understood configuration would put wrong words into a
report.
"""

from deliverability.config.reading import parse
from deliverability.config.settings import (
    MAX_SIZE,
    SCHEMA_VERSION,
    ArchiveSettings,
    Authority,
    Configuration,
    LedgerSettings,
    LogSource,
    ReportSettings,
    Sender,
    find_sender,
)
from deliverability.config.values import IPNetwork, address, domain_name, network, selector_name

__all__ = [
    "MAX_SIZE",
    "SCHEMA_VERSION",
    "ArchiveSettings",
    "Authority",
    "Configuration",
    "IPNetwork",
    "LedgerSettings",
    "LogSource",
    "ReportSettings",
    "Sender",
    "address",
    "domain_name",
    "find_sender",
    "network",
    "parse",
    "selector_name",
]
