"""What was said over a connection, with times; credentials are left out before anything is kept."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from deliverability.protocols.smtp_session import CLIENT, NOTE, SERVER, Said

MAX_HEARD: Final = 256 << 10
"""Octets of a server that are taken in during the opening of a session, or one transaction."""
MAX_RUNS: Final = 4096
MIN_SECRET: Final = 4
REDACTED: Final = b"*"


class Tape:
    """What was said, with times; credentials are left out before anything is kept."""

    def __init__(self) -> None:
        self.began = datetime.now(UTC)
        self._start = time.monotonic()
        self.opening: tuple[Said, ...] = ()
        """How the session was opened: part of the transcript of each of its transactions."""
        self._runs: list[Said] = []
        self._heard = 0
        self._answer = bytearray()
        self._secrets: tuple[bytes, ...] = ()
        self._authenticating = False
        self.overflowed = False

    def opened(self) -> None:
        """The opening is over; what follows belongs to one transaction."""
        self.opening, self._runs, self._heard = tuple(self._runs), [], 0

    def cut(self) -> tuple[Said, ...]:
        """What was said since the last call, and no longer kept here: one recipient's transaction is nobody else's."""
        runs, self._runs, self._heard = tuple(self._runs), [], 0
        return runs

    def since(self, number: int) -> list[Said]:
        """Of what was said since the last cut, what follows the first ``number``."""
        return self._runs[number:]

    @property
    def runs(self) -> tuple[Said, ...]:
        """What was said since the last cut."""
        return tuple(self._runs)

    def answer(self) -> bytes:
        """What the server said since we last wrote."""
        return bytes(self._answer)

    def keep_out(self, secrets: Iterable[str | bytes | None]) -> None:
        """Octets that are never to be kept, whichever side says them."""
        octets = (s.encode() if isinstance(s, str) else s for s in secrets if s)
        self._secrets += tuple(s for s in octets if len(s) >= MIN_SECRET)

    def scrubbed(self, octets: bytes) -> bytes:
        """Without the octets that are never to be kept."""
        for secret in self._secrets:
            octets = octets.replace(secret, REDACTED)
        return octets

    def said(self, octets: bytes) -> None:
        """We wrote this."""
        self._answer.clear()
        if octets[:5].upper() == b"AUTH ":
            self._authenticating = True
            words = octets.split()
            self.keep_out(words[2:])
            octets = b" ".join([*words[:2], *([REDACTED] if len(words) > 2 else [])]) + b"\r\n"
        elif self._authenticating:
            self.keep_out([octets.strip()])
            octets = REDACTED + b"\r\n"
        self._add(CLIENT, octets)

    def heard(self, octets: bytes) -> None:
        """The server said this."""
        room = MAX_HEARD - self._heard
        self._heard += len(octets)
        if len(octets) > room or len(self._runs) > MAX_RUNS:
            self.overflowed = True
            octets = octets[: max(room, 0)]
        self._answer += octets
        if self._authenticating:
            self._authenticating = octets[:3] == b"334"
            # A challenge may hold a name, and a refusal what it refused: the codes alone are kept.
            octets = octets[:3] + b" " + REDACTED + b"\r\n"
        if octets:
            self._add(SERVER, self.scrubbed(octets))

    def note(self, text: str) -> None:
        """Our own words, at this point."""
        self._add(NOTE, text.encode("utf-8", "backslashreplace"))

    def _add(self, side: str, octets: bytes) -> None:
        self._runs.append(Said(int((time.monotonic() - self._start) * 1_000_000), side, octets))
