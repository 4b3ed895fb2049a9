"""What has been appended and is not in the index yet: held in memory, written into it later, many entries at once.

An append writes its entry and nothing else.  The index over entries (which records are there already, who has which
number, where a dispatch stands, the nodes of the tree) follows in batches, whose rows go in by the order of their keys.
Until then this answers for them.  After a crash it is read again from the entries themselves, which hold all of it.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter

from deliverability.ledger.leaves import LeafKind
from deliverability.ledger.merkle import Frontier, leaf_hash
from deliverability.ledger.schema import LEVEL_SHIFT, LOWEST_LEVEL

KEYS = "digest, account, sequence, address, dispatch, settles, spool"
"""Columns of an entry's row by which it is indexed."""
Keys = tuple[bytes | None, str | None, int | None, str | None, bytes | None, int | None, str | None]
"""Their values, in that order."""
NO_KEYS: Keys = (None, None, None, None, None, None, None)
"""Of an entry by which nobody is found."""

Pseudonym = Callable[[str], bytes]
_AT_ONCE = 64
"""Rows in one statement, which takes two thirds of the time of one for each."""
_REMEMBERED = 1 << 15
"""Accounts whose newest entry is held in memory after it was indexed: some 10 MB."""


@dataclass(slots=True)
class Tail:
    """The entries that the index lacks, and the right edge of the tree with them."""

    frontier: Frontier
    indexed: int
    """Entries that the index has; the others are these here."""
    keys: list[Keys] = field(default_factory=list)
    """Of each entry here, in their order."""
    said: dict[bytes, int] = field(default_factory=dict)
    accounts: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """Of each account the newest sequence number and leaf hash."""
    dispatches: dict[bytes, int] = field(default_factory=dict)
    """The entry that announced each."""
    settled: set[bytes] = field(default_factory=set)
    """Dispatches that have an outcome here; the intent may be in the index."""
    nodes: dict[int, bytes] = field(default_factory=dict)
    recent: "Tail | None" = None
    """What was indexed last: asked about again sooner than the rest, and here without a question to the database."""

    def __len__(self) -> int:
        return len(self.keys)

    def note(self, leaf: bytes, keys: Keys) -> None:
        """Take in the next entry."""
        number, hashed = self.frontier.size, leaf_hash(leaf)
        for level, index, made in self.frontier.append(hashed, LOWEST_LEVEL):
            self.nodes[level << LEVEL_SHIFT | index] = made
        self.keys.append(keys)
        digest, account, sequence, _, dispatch, settles, _ = keys
        if digest is not None:
            self.said[digest] = number
        if account is not None and sequence is not None:
            self.accounts[account] = (sequence, hashed)
        if dispatch is not None:
            if leaf[1] == LeafKind.INTENT:
                self.dispatches.setdefault(dispatch, number)
            elif settles:
                self.settled.add(dispatch)

    def numbered(self) -> Iterator[tuple[int, Keys]]:
        """Each entry's number and keys."""
        return enumerate(self.keys, self.indexed)

    def place(self, account: str) -> tuple[int, bytes] | None:
        """The newest sequence number and leaf hash of an account, where it is known here."""
        return self.accounts.get(account) or (self.recent.accounts.get(account) if self.recent else None)

    def dispatch(self, name: bytes) -> tuple[int, str] | None:
        """The intent of a dispatch and its account, where they are known here."""
        number = self.dispatches.get(name)
        if number is not None:
            return number, self.keys[number - self.indexed][1] or ""
        return self.recent.dispatch(name) if self.recent else None

    def open(self, spool: str | None) -> Iterator[bytes]:
        """Dispatches announced here, from one spool file or any, that have no outcome here."""
        for name, number in self.dispatches.items():
            if name not in self.settled and spool in (None, self.keys[number - self.indexed][6]):
                yield name

    def write(self, database: sqlite3.Connection, pseudonym: Pseudonym) -> None:
        """Bring the index up to here, within the caller's transaction; then :meth:`written` is the tail."""
        from deliverability.protocols.intents import canonical_account

        names = {account: pseudonym(account) for account in self.accounts}
        written = {keys[3] for keys in self.keys if keys[3] is not None}
        addresses = {address: pseudonym(canonical_account(address)) for address in written}
        sequences, named = [], []
        for number, (_, account, sequence, address, *_) in self.numbered():
            if account is not None and sequence is not None:
                sequences.append((names[account], sequence, number))
            if address is not None:
                named.append((addresses[address], number))
        dispatches = []
        for name, number in self.dispatches.items():
            keys = self.keys[number - self.indexed]
            dispatches.append((name, number, (keys[1] or "").encode(), name in self.settled, keys[6]))
        accounts = [(names[name], *last) for name, last in self.accounts.items()]
        _insert(database, "INSERT INTO node (place, hash)", self.nodes.items())
        _insert(database, "INSERT OR IGNORE INTO said (digest, number)", self.said.items())
        _insert(database, "INSERT OR REPLACE INTO account (id, sequence, hash)", accounts)
        _insert(database, "INSERT INTO of_account (account, sequence, number)", sequences)
        _insert(database, "INSERT OR IGNORE INTO of_address (address, number)", named)
        # Of two intents of one name the first stands.
        known = " ON CONFLICT (id) DO UPDATE SET settled = max(settled, excluded.settled)"
        _insert(database, "INSERT INTO dispatch (id, intent, account, settled, spool)", dispatches, known)
        before = sorted((name,) for name in self.settled if name not in self.dispatches)
        database.executemany("UPDATE dispatch SET settled = 1 WHERE id = ?", before)
        database.execute("UPDATE meta SET value = ? WHERE name = 'indexed'", (self.frontier.size,))

    def written(self) -> "Tail":
        """The tail once the index has all of this one."""
        if self.recent and len(self.recent.accounts) + len(self.accounts) <= _REMEMBERED:
            self.accounts = self.recent.accounts | self.accounts
        self.recent = None
        return Tail(self.frontier, self.frontier.size, recent=self)


def _insert(
    database: sqlite3.Connection, statement: str, rows: Iterable[tuple[object, ...]], conflict: str = ""
) -> None:
    """By the order of the column that a table's key begins with: rows that stand together are written together."""
    ordered = sorted(rows, key=itemgetter(0))
    if not ordered:
        return
    row = f"({', '.join('?' * len(ordered[0]))})"
    rest = len(ordered) - len(ordered) % _AT_ONCE
    many = f"{statement} VALUES {', '.join([row] * _AT_ONCE)}{conflict}"
    for start in range(0, rest, _AT_ONCE):
        database.execute(many, [*chain.from_iterable(ordered[start : start + _AT_ONCE])])
    database.executemany(f"{statement} VALUES {row}{conflict}", ordered[rest:])


def canonical_address(address: str) -> str:
    """An address as the index compares it: what cannot be read as one stands for itself."""
    from deliverability.protocols.intents import canonical_account  # heavy beside what readers need

    return canonical_account(address)
