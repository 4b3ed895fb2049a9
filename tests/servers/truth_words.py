"""What a receiving server answers: fates drawn from a seed, in words that try to be taken for a log's own.

Each reply line bears a token (``tok=…``), so that the words of one reply are never mistaken for those of another.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fate:
    how: str = "ok"
    """``ok``, ``reply``, ``drop``, ``reset``, ``hang``, ``partial`` (half of a multi-line reply, then gone), ``close``
    (a reply and gone)."""
    code: int = 250
    lines: tuple[bytes, ...] = (b"Ok",)


IMITATIONS = (
    "status=sent (250 2.0.0 Ok: queued as 4ABCDEFG123)",
    "to=<{other}>, dsn=2.0.0, status=sent (250 2.0.0 Ok)",
    "orig_to=<{other}>, status=bounced",
    '=> {other} R=dnslookup T=remote_smtp H=mx.other.example [192.0.2.1] C="250 ok"',
    "** {other} R=dnslookup T=remote_smtp: SMTP error from remote mail server after RCPT TO:<{other}>: 550 no",
    "try later (in reply to end of DATA command)",
    "no (in reply to RCPT TO command)) status=sent (250 ok",
    "conversation with mx.other.example[192.0.2.1] timed out while sending end of data -- message may be sent more than once",
    "lost connection with mx.other.example[192.0.2.1] while sending RCPT TO",
    "host mx.other.example[192.0.2.1] said: 550 5.1.1 no such user (in reply to RCPT TO command)",
    "250 2.0.0 Ok: queued as {ours}",
    "queued as {ours}",
    "OK id={ours}",
    "retry timeout exceeded",
    "SMTP timeout after end of data",
    'C="250 OK id=1abcDE-000000001ab-2cDe" QT=1s DT=0s',
    "from=<{other}>, size=1, nrcpt=1 (queue active)",
    "message-id=<forged@example.com>",
    "stat=Sent (250 ok), to=<{other}>",
    "result=Ok stat=Delivered to=<{other}>",
    "removed",
    "Completed",
    "warning: %s %n 100%",
    "unbalanced ) ( ]] [[ }} \\\" ' ` $HOME ;",
    'quoted \\"words\\" \\134 \\n and \\t',
    "tab\there",
    "a: b: c: H=mx [1.2.3.4]: SMTP error",
)
UTF8 = ("使用者不存在，請稍後再試", "Användaren finns inte — försök igen", "Пользователь не найден")
BIG5 = ("信箱已滿", "使用者不存在")
PLAIN = (
    "Mailbox unavailable",
    "The email account that you tried to reach does not exist.",
    "Policy rejection; see https://mx.example/help?x=1&y=2",
    "Requested action not taken: mailbox unavailable",
    "Greylisted, please try again in 300 seconds",
    "Too many connections from your host.",
    "User unknown in virtual mailbox table",
    "",
)
STATUS = {
    2: ("2.0.0", "2.1.5", "2.6.0"),
    4: ("4.2.0", "4.2.2", "4.7.1", "4.3.2"),
    5: ("5.1.1", "5.7.1", "5.2.2", "5.7.26"),
}
CODES = {4: (450, 451, 452, 421), 5: (550, 551, 552, 553, 554, 521)}


class Words:
    """Reply texts, each with a token of its own."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(f"words|{seed}")
        self.count = 0
        self.ours: list[str] = []
        """Queue ids of the senders, as their Received headers show them."""
        self.others: list[str] = []

    def token(self) -> str:
        self.count += 1
        return f"tok={self.count:05d}x"

    def text(self, kind: int) -> bytes:
        pick = self.random
        sort = pick.random()
        other = pick.choice(self.others) if self.others else "other@victim.example"
        ours = pick.choice(self.ours) if self.ours else "4ABCDEFG123"
        if sort < 0.45:
            raw = pick.choice(PLAIN).encode()
        elif sort < 0.8:
            raw = pick.choice(IMITATIONS).format(other=other, ours=ours).encode()
        elif sort < 0.88:
            raw = pick.choice(UTF8).encode()
        elif sort < 0.94:
            raw = pick.choice(BIG5).encode("big5")
        else:
            raw = (pick.choice(PLAIN) + " " + "long words " * pick.choice((30, 60, 90))).encode()
        status = b""
        sort = pick.random()
        if sort < 0.7:
            status = pick.choice(STATUS[kind]).encode() + b" "
        elif sort < 0.85:
            status = pick.choice(STATUS[pick.choice((2, 4, 5))]).encode() + b" "  # contradicts the code
        return status + self.token().encode() + b" " + raw

    def reply(self, kind: int) -> tuple[bytes, ...]:
        lines = 1 if self.random.random() < 0.75 else self.random.choice((2, 3, 4))
        found = [self.text(kind) for _ in range(lines)]
        if lines > 2 and self.random.random() < 0.3:
            found[1] = b""
        return tuple(found)


class Fates:
    """What befalls whom: drawn once for each name and attempt, so that a run's answers do not depend on its order."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.words = Words(seed)
        self.turn: Counter[str] = Counter()
        self.closing = False

    def _roll(self, *key: object) -> random.Random:
        return random.Random("|".join([self.seed, *map(str, key)]))

    def bad(self, kind: int, code: int | None = None, how: str = "reply") -> Fate:
        return Fate(how, code or self.words.random.choice(CODES[kind]), self.words.reply(kind))

    def at(self, stage: str, key: str, *, kind: bool) -> Fate:
        """The fate of one step; ``key`` names whom it is about."""
        if self.closing and stage == "connect":
            return Fate("close", 421, (b"4.3.2 " + self.words.token().encode() + b" closing time",))
        turn = self.turn[f"{stage}|{key}"]
        self.turn[f"{stage}|{key}"] += 1
        if kind:
            return Fate()
        pick = self._roll(stage, key, turn)
        draw = pick.random()
        for upto, make in self._table(stage, turn, key):
            if draw < upto:
                return make()
        return Fate()

    def _table(self, stage: str, turn: int, key: str) -> list[tuple[float, Callable[[], Fate]]]:
        if stage == "connect":
            return [
                (0.02, lambda: self.bad(4, 421, "close")),
                (0.03, lambda: self.bad(5, 554, "close")),
                (0.04, lambda: Fate("drop")),
                (0.045, lambda: Fate("reset")),
                (0.05, lambda: Fate("hang")),
            ]
        if stage == "ehlo":
            return [
                (0.01, lambda: self.bad(4)),
                (0.02, lambda: self.bad(5)),
                (0.03, lambda: Fate("drop")),
                (0.035, lambda: Fate("hang")),
            ]
        if stage == "mail":
            return (
                [
                    (0.02, lambda: self.bad(4)),
                    (0.035, lambda: self.bad(5)),
                    (0.045, lambda: Fate("drop")),
                    (0.05, lambda: Fate("hang")),
                    (0.055, lambda: self.bad(4, 421, "close")),
                ]
                if turn < 3
                else []
            )
        if stage == "rcpt":
            whole = self._roll("whole", key).random()
            if whole < 0.06:
                return [(9e9, lambda: self.bad(4))]  # never taken
            if whole < 0.14:
                return [(9e9, lambda: self.bad(5))]
            if whole < 0.22:
                return [(9e9, lambda: self.bad(4, 450))] if turn < 1 else []  # greylisted
            return (
                [
                    (0.02, lambda: self.bad(4, 421, "close")),
                    (0.035, lambda: Fate("drop")),
                    (0.045, lambda: Fate("hang")),
                    (0.05, lambda: Fate("reset")),
                    (0.1, lambda: Fate("reply", 251, self.words.reply(2))),
                    (0.13, lambda: Fate("reply", 252, self.words.reply(2))),
                    (0.135, lambda: self.bad(4, how="partial")),
                ]
                if turn < 3
                else []
            )
        if stage == "data":
            return (
                [
                    (0.02, lambda: self.bad(4)),
                    (0.035, lambda: self.bad(5)),
                    (0.05, lambda: Fate("drop")),
                    (0.055, lambda: Fate("hang")),
                    (0.06, lambda: self.bad(4, 421, "close")),
                ]
                if turn < 3
                else []
            )
        if stage == "body":
            return [(0.02, lambda: Fate("drop")), (0.03, lambda: Fate("reset"))] if turn < 3 else []
        if stage == "end":
            whole = self._roll("whole-end", key).random()
            if whole < 0.03:
                return [(9e9, lambda: self.bad(4))]
            return (
                [
                    (0.04, lambda: self.bad(4)),
                    (0.10, lambda: self.bad(5)),
                    (0.13, lambda: Fate("drop")),
                    (0.15, lambda: Fate("reset")),
                    (0.165, lambda: Fate("hang")),
                    (0.18, lambda: self.bad(4, 421, "close")),
                    (0.195, lambda: Fate("partial", 250, (b"2.0.0 first", b"2.0.0 second"))),
                    (0.205, lambda: self.bad(5, 554, "close")),
                ]
                if turn < 3
                else []
            )
        return []
