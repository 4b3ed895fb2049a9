"""Which addresses a customer's notices were made for, and when: from the billing system's own list.

It shows what address the sender used, not whose address it is.  Copies (``cc``, ``bcc``) do not count: they are often
the company's own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from deliverability.errors import ParseError
from deliverability.evidence.names import Mailbox
from deliverability.protocols.whmcs_rows import Notice


@dataclass(frozen=True, slots=True)
class AddressUse:
    """An address, and the first and last time that a notice was made for it."""

    address: str
    """As it was last written."""
    first: datetime | None
    """Wall-clock time of the billing system; ``None`` where no row's time can be told."""
    last: datetime | None
    notices: int


Customers = Mapping[str, tuple[AddressUse, ...]]
"""By the billing system's id of the customer: addresses, the one used last first."""


@dataclass(slots=True)
class _Span:
    address: str
    first: datetime | None = None
    last: datetime | None = None
    count: int = 0

    def take(self, written: str, at: datetime | None) -> None:
        self.count += 1
        if at is None:
            return
        if self.last is None or at >= self.last:
            self.last, self.address = at, written
        self.first = at if self.first is None else min(self.first, at)


def customer_addresses(notices: Iterable[Notice]) -> Customers:
    """Who was written to at which addresses, and when.  Notices may come in any order, and more than once."""
    spans: dict[str, dict[tuple[str, str], _Span]] = {}
    seen: set[tuple[str, str]] = set()
    for notice in notices:
        if notice.account is None or (notice.account, notice.number) in seen:
            continue
        seen.add((notice.account, notice.number))
        at = notice.at.local if notice.at and not notice.at.unclear else None
        for written in notice.to:
            key = _key(written)
            if key is not None:
                spans.setdefault(notice.account, {}).setdefault(key, _Span(written)).take(written, at)
    return MappingProxyType({account: _in_order(found.values()) for account, found in spans.items()})


def addresses_at(uses: Sequence[AddressUse], at: datetime) -> tuple[str, ...]:
    """The addresses in use at a time (wall clock): those with a notice before and after it, else the last before it."""
    within = tuple(u.address for u in uses if u.first and u.last and u.first <= at <= u.last)
    if within:
        return within
    before = [u for u in uses if u.last and u.last <= at]
    latest = max((u.last for u in before if u.last), default=None)
    return tuple(u.address for u in before if u.last == latest)


def accounts_of(customers: Customers, address: str) -> tuple[str, ...]:
    """The customers that notices to an address were made for; several may share one."""
    key = _key(address)
    if key is None:
        return ()
    return tuple(sorted(a for a, uses in customers.items() if any(_key(u.address) == key for u in uses)))


def _in_order(spans: Iterable[_Span]) -> tuple[AddressUse, ...]:
    uses = [AddressUse(s.address, s.first, s.last, s.count) for s in spans]
    return tuple(sorted(uses, key=lambda u: (u.last or datetime.min, u.address), reverse=True))  # noqa: DTZ901


def _key(address: str) -> tuple[str, str] | None:
    try:
        return Mailbox.parse(address).key
    except ParseError:
        return None
