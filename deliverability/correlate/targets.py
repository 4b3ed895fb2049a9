"""The addresses that one asked address led to, and which attempt speaks of which of them."""

from collections.abc import Sequence

from deliverability.correlate.chains import Chain
from deliverability.correlate.entries import AddressKey as Key
from deliverability.correlate.entries import Entry
from deliverability.correlate.entries import address_key as _key
from deliverability.evidence.event import DeliveryEvent, Result, Transport

Tried = tuple[Entry, DeliveryEvent]


def by_target(mine: Sequence[Tried], asked: Key, chain: Chain) -> dict[str, list[Tried]]:
    """The attempts for one asked address, by the address that was really tried, as it is spelled there."""
    targets: dict[Key, list[Tried]] = {}
    whole = _whole_names(mine, asked)
    for entry, event in mine:
        target = _key(event.recipient)
        targets.setdefault(whole.get(target, target), []).append((entry, event))
    spelled = {target: found[0][1].recipient or "" for target, found in targets.items()}
    if len(targets) > 1:
        targets = _without_passed_through(targets, chain)
    return {spelled[target]: found for target, found in _with_detours(targets, asked).items()}


def _whole_names(mine: Sequence[Tried], asked: Key) -> dict[Key, Key]:
    """Other forms of an address, and the address that each stands for.

    Exim tells a delivery into a mailbox by the local part alone, and a deferral of the same address in full; and it
    gives a local part in ASCII where a server knows no other (``utf8_downconvert``).
    """
    targets = {_key(event.recipient) for _, event in mine}
    named: dict[str, list[Key]] = {}
    for key in targets:
        if key[1]:
            named.setdefault(key[0].casefold(), []).append(key)
    whole = {(_in_ascii(key[0]), key[1]): key for key in (*targets, asked) if not key[0].isascii()}
    for bare in (key for key in targets if not key[1]):
        full = named.get(bare[0], [])
        if asked in full or len(full) == 1:
            whole[bare] = asked if asked in full else full[0]
    return whole


def _without_passed_through(targets: dict[Key, list[Tried]], chain: Chain) -> dict[Key, list[Tried]]:
    """Drop addresses that went on to another queue entry of ours in the end: what happened there stands for them.

    What was tried in vain before is told with the first that they led to.
    """
    kept = {k: v for k, v in targets.items() if id(v[-1][1]) not in chain.followed}
    if not kept:
        return targets
    first = next(iter(kept))
    for found in targets.values():
        if id(found[-1][1]) in chain.followed:
            kept[first] = [*found, *kept[first]]
    return kept


def _with_detours(targets: dict[Key, list[Tried]], asked: Key) -> dict[Key, list[Tried]]:
    """What kept the asked address itself from being routed, told with the first that it led to in the end."""
    own = targets.get(asked, [])
    led_to = next((key for key in targets if key != asked), None)
    routing = all(
        entry.ended and event.result is Result.DEFERRED and event.transport is Transport.NONE for entry, event in own
    )
    if not own or led_to is None or not routing:
        return targets
    return {key: own + found if key == led_to else found for key, found in targets.items() if key != asked}


def _in_ascii(local_part: str) -> str:
    return "xn--" + local_part.encode("punycode").decode("ascii")
