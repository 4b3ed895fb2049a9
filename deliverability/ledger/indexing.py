"""What has been appended and is not in the index yet: held in memory, written into it later, many entries at once.

An append writes its entry and nothing else.  The index over entries (which records are there already, who has which
number, where a dispatch stands, the nodes of the tree) follows in batches, whose rows go in by the order of their keys.
Until then this answers for them.  After a crash it is read again from the entries themselves, which hold all of it.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from deliverability.errors import ParseError
from deliverability.evidence.names import Mailbox
from deliverability.ledger.leaves import LeafKind
from deliverability.ledger.merkle import Frontier, leaf_hash
from deliverability.ledger.schema import LEVEL_SHIFT, LOWEST_LEVEL

KEYS = "digest, account, sequence, address, dispatch, settles, spool"
"""Columns of an entry's row by which it is indexed, in the order of :class:`Keys`."""

Pseudonym = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Where a dispatch stands."""

    intent: int
    account: str
    settled: bool
    spool: str | None
    """The spool file that the intent came from."""


@dataclass(slots=True)
class Tail:
    """The entries that the index lacks, and the right edge of the tree with them."""

    frontier: Frontier
    indexed: int
    """Entries that the index has; the others are these here."""
    said: dict[bytes, int] = field(default_factory=dict)
    accounts: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """Of each account the newest sequence number and leaf hash."""
    of_account: list[tuple[str, int, int]] = field(default_factory=list)
    of_address: list[tuple[str, int]] = field(default_factory=list)
    dispatches: dict[bytes, Dispatch] = field(default_factory=dict)
    settled: set[bytes] = field(default_factory=set)
    """Dispatches of the index that have got an outcome since."""
    nodes: dict[int, bytes] = field(default_factory=dict)
    recent: "Tail | None" = None
    """What was indexed last: asked about again sooner than the rest, and here without a question to the database."""

    def __len__(self) -> int:
        return self.frontier.size - self.indexed

    def note(  # noqa: PLR0913, PLR0917 - a row's columns
        self,
        leaf: bytes,
        digest: bytes | None,
        account: str | None,
        sequence: int | None,
        address: str | None,
        dispatch: bytes | None,
        settles: int | None,
        spool: str | None,
    ) -> None:
        """Take in the next entry."""
        number, hashed = self.frontier.size, leaf_hash(leaf)
        for level, index, made in self.frontier.append(hashed)[LOWEST_LEVEL:]:
            self.nodes[level << LEVEL_SHIFT | index] = made
        if digest is not None:
            self.said[digest] = number
        if account is not None and sequence is not None:
            self.accounts[account] = (sequence, hashed)
            self.of_account.append((account, sequence, number))
        if address is not None:
            self.of_address.append((address, number))
        if dispatch is None:
            return
        if leaf[1] == LeafKind.INTENT:
            self.dispatches.setdefault(dispatch, Dispatch(number, account or "", False, spool))
        elif settles:
            known = self.dispatches.get(dispatch)
            if known is None:
                self.settled.add(dispatch)
            elif not known.settled:
                self.dispatches[dispatch] = replace(known, settled=True)

    def place(self, account: str) -> tuple[int, bytes] | None:
        """The newest sequence number and leaf hash of an account, where it is known here."""
        return self.accounts.get(account) or (self.recent.accounts.get(account) if self.recent else None)

    def dispatch(self, name: bytes) -> Dispatch | None:
        """A dispatch, where it is known here; whether it is settled may be older than the index."""
        return self.dispatches.get(name) or (self.recent.dispatches.get(name) if self.recent else None)

    def write(self, database: sqlite3.Connection, pseudonym: Pseudonym) -> None:
        """Bring the index up to here, within the caller's transaction; then :meth:`written` is the tail."""
        names = {account: pseudonym(account) for account in self.accounts}
        addresses = {name: pseudonym(canonical_address(name)) for name in {name for name, _ in self.of_address}}
        _many(database, "INSERT INTO node (place, hash) VALUES (?, ?)", sorted(self.nodes.items()))
        _many(database, "INSERT OR IGNORE INTO said (digest, number) VALUES (?, ?)", sorted(self.said.items()))
        accounts = sorted((names[name], *last) for name, last in self.accounts.items())
        _many(database, "INSERT OR REPLACE INTO account (id, sequence, hash) VALUES (?, ?, ?)", accounts)
        sequences = sorted((names[name], sequence, number) for name, sequence, number in self.of_account)
        _many(database, "INSERT INTO of_account (account, sequence, number) VALUES (?, ?, ?)", sequences)
        named = sorted((addresses[address], number) for address, number in self.of_address)
        _many(database, "INSERT OR IGNORE INTO of_address (address, number) VALUES (?, ?)", named)
        found = sorted((name, d.intent, d.account.encode(), d.settled, d.spool) for name, d in self.dispatches.items())
        statement = (
            "INSERT INTO dispatch (id, intent, account, settled, spool) VALUES (?, ?, ?, ?, ?)"
            # Of two intents of one name the first stands.
            " ON CONFLICT (id) DO UPDATE SET settled = max(settled, excluded.settled)"
        )
        _many(database, statement, found)
        _many(database, "UPDATE dispatch SET settled = 1 WHERE id = ?", sorted((name,) for name in self.settled))
        database.execute("UPDATE meta SET value = ? WHERE name = 'indexed'", (self.frontier.size,))

    def written(self) -> "Tail":
        """The tail once the index has all of this one."""
        self.recent = None
        return Tail(self.frontier, self.frontier.size, recent=self)


def _many(database: sqlite3.Connection, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        database.executemany(statement, rows)


def canonical_address(address: str) -> str:
    """An address as the index compares it: what cannot be read as one stands for itself."""
    try:
        return "@".join(Mailbox.parse(address).key)
    except ParseError:
        return address.casefold()
