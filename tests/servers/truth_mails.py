"""The messages of the truth test: made from a seed, before any server runs."""

import random
from dataclasses import dataclass, field
from typing import Any

ALIASES = ("alias.example", "local.example")
HERE = ("mailbox:", "pipe:", "file:")
"""What an address of our own may lead to, beside other addresses."""


@dataclass
class Mail:
    """One message, and where each of its recipients leads."""

    number: int
    message_id: str
    sender: str
    to: dict[str, list[str]]
    """What the sender writes → the addresses that it leads to, or one of :data:`HERE`."""
    kind: str
    answers: dict[str, int] = field(default_factory=dict)
    """What our server answered to each recipient when the message was handed in."""
    taken: bool = False

    @property
    def smtputf8(self) -> bool:
        return any(not address.isascii() for address in self.to)


def _local_part(pick: random.Random, n: int, i: int) -> str:
    quoted = (
        f'"r{n} {i} blank"', f'"r{n}.{i}, relay=none, status=sent (ok)"', f'"r{n}>, relay={i}"', f'"r{n}\\"q{i}"',
        f'"r{n}@x{i}"', f'"r{n}: {i} <a@b.example>"', f'"r{n} {i} => x@y.example R=a T=b"', f'"r{n},{i}"', f'"r{n};{i}"',
    )  # fmt: skip
    forms = [
        *[f"r{n}-{i}"] * 5, f"R{n}.Mixed-{i}X", f"r{n}+tag-{i}=x.y", f"o'neil{n}-{i}", f"r{n}_{i}%a/b!c{{d}}#e",
        f"r{n}-{i}-".ljust(64, "l"), f"jörg{n}-{i}", f"使用者{n}-{i}", pick.choice(quoted), pick.choice(quoted),
    ]  # fmt: skip
    return pick.choice(forms)


def _domain(pick: random.Random) -> str:
    base = f"s{pick.randrange(8)}.example"
    return pick.choice([*[base] * 12, base.upper(), f"{'d' * 60}.{'e' * 60}.{base}", "nullmx.example", "down.example"])


class _Making:
    """One message in the making."""

    def __init__(self, pick: random.Random, number: int, kind: str) -> None:
        self.pick, self.number, self.kind = pick, number, kind
        self.to: dict[str, list[str]] = {}

    def add(self, i: int, domain: str | None = None) -> None:
        address = f"{_local_part(self.pick, self.number, i)}@{domain or _domain(self.pick)}"
        self.to[address] = [address]

    def finals(self, count: int) -> list[str]:
        return [f"a{self.number}-{i}@s{self.pick.randrange(8)}.example" for i in range(count)]

    def fill(self) -> None:
        pick, n = self.pick, self.number
        match self.kind:
            case "several":
                together = pick.choice((None, f"s{pick.randrange(8)}.example"))
                for i in range(pick.randrange(2, 6)):
                    self.add(i, together)
            case "shared":
                self.to |= {f"shared-{k}@s{k}.example": [f"shared-{k}@s{k}.example"] for k in pick.sample(range(6), 2)}
            case "alias" | "nested":
                self.to[f"al{n}@alias.example"] = self.finals(pick.choice((1, 2, 3)))
                if pick.random() < 0.3:
                    self.add(9)
            case "local":
                self.to[f"al{n}@local.example"] = pick.choice(([HERE[1]], [HERE[2]], self.finals(2)))
            case "mailbox":
                self.to[f"box{n}@mailbox.example"] = [HERE[0]]
                self.add(1)
            case "store" | "hop" | "filtered":
                for i in range(pick.randrange(1, 4)):
                    self.add(i, f"{self.kind}.example")
            case _:
                self.add(0)


def generate(seed: str, count: int, *, filtered: bool) -> list[Mail]:
    """``count`` messages; ``filtered``: some for a domain that goes through a content filter."""
    pick = random.Random(seed)
    kinds = (
        ["single"] * 4
        + ["several"] * 4
        + ["shared", "alias", "alias", "nested", "null", "twice", "store", "hop", "hop"]
    )
    kinds += ["local", "mailbox", *(["filtered"] if filtered else [])]
    mails: list[Mail] = []
    for number in range(count):
        making = _Making(pick, number, pick.choice(kinds))
        making.fill()
        message_id = f"M{number}.{seed}@Billing.Example"
        if making.kind == "twice" and mails:
            message_id = mails[-1].message_id
        sender = "" if making.kind == "null" else f"r+{number}@sender.example"
        mails.append(Mail(number, message_id, sender, making.to, making.kind))
    return mails


def as_json(mail: Mail) -> dict[str, Any]:
    return {**vars(mail)}
