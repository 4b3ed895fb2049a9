"""A signed name space of our own: zones, keys, denials and aliases, answered as a resolver that keeps signatures would.

Loaded by its path from tests of several folders, which are no packages.  It shares nothing with the validator but
dnspython's signing: which records prove an absence is worked out here anew, from RFC 4035 §3.1.3 and RFC 5155 §7.2.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from deliverability.evidence.observation import (
    CouldNotLook,
    DnsAnswer,
    DnsQuestion,
    Observation,
    Observations,
    Obstacle,
    Question,
    Rcode,
    Unobserved,
)

IN = dns.rdataclass.IN
T = dns.rdatatype.RdataType
SEEN_AT = datetime(2026, 11, 22, tzinfo=UTC)
NOW = int(SEEN_AT.timestamp())
DAY = 86_400
ROOT = dns.name.root
SOA = "ns.invalid. hostmaster.invalid. 1 3600 600 86400 60"


@cache
def key_of(algorithm: int, number: int = 0):
    """A private key; the same for the same arguments within one run, since RSA keys take time to make."""
    del number
    match algorithm:
        case 5 | 7 | 8 | 10:
            return rsa.generate_private_key(65537, 2048)
        case 13:
            return ec.generate_private_key(ec.SECP256R1())
        case 14:
            return ec.generate_private_key(ec.SECP384R1())
        case 15:
            return ed25519.Ed25519PrivateKey.generate()
        case 16:
            return ed448.Ed448PrivateKey.generate()
    raise ValueError(algorithm)


def name(text: str) -> dns.name.Name:
    return dns.name.from_text(text or ".")


@dataclass
class Zone:
    """One zone; without an algorithm it is not signed."""

    origin: dns.name.Name
    algorithm: int | None = 13
    nsec3: bool = False
    opt_out: bool = False
    iterations: int = 0
    salt: bytes = b""
    inception: int = NOW - DAY
    expiration: int = NOW + 10 * DAY
    key_number: int = 0
    digest: str = "SHA256"
    sets: dict = field(default_factory=dict)

    def __post_init__(self):
        self.add(self.origin, "SOA", SOA)
        self.add(self.origin, "NS", "ns.invalid.")
        if self.algorithm:
            self.private = key_of(self.algorithm, self.key_number)
            self.key = dns.dnssec.make_dnskey(self.private.public_key(), self.algorithm, flags=257)
            self.add(self.origin, "DNSKEY", self.key.to_text())

    def add(self, owner, rdtype: str, *texts: str):
        rdatas = [dns.rdata.from_text(IN, T[rdtype], text) for text in texts]
        known = self.sets.setdefault((owner, int(T[rdtype])), dns.rdataset.Rdataset(IN, T[rdtype], ttl=300))
        for rdata in rdatas:
            known.add(rdata, 300)

    def ds(self):
        return dns.dnssec.make_ds(self.origin, self.key, self.digest, policy=dns.dnssec.allow_all_policy)

    def sign(self, rrset, owner=None):
        """The RRSIG set; ``owner``: the wildcard that the records were expanded from."""
        signed = rrset
        if owner is not None:
            signed = dns.rrset.from_rdata_list(owner, rrset.ttl, list(rrset))
        sig = dns.dnssec.sign(
            signed, self.private, self.origin, self.key,
            inception=self.inception, expiration=self.expiration, policy=dns.dnssec.allow_all_policy,
        )  # fmt: skip
        return dns.rrset.from_rdata(rrset.name, rrset.ttl, sig)

    def cuts(self):
        return {owner for owner, kind in self.sets if kind == T.NS and owner != self.origin}

    def visible(self):
        """Names with records of this zone: nothing below a delegation."""
        cuts = self.cuts()
        return {o for o, _ in self.sets if not any(o != cut and o.is_subdomain(cut) for cut in cuts)}

    def exists(self, owner):
        return any(one.is_subdomain(owner) for one in self.visible())

    def types(self, owner):
        found = {kind for o, kind in self.sets if o == owner}
        if owner in self.cuts():
            return {T.NS, T.DS} & found
        return found

    def denial(self, owner):
        """NSEC or NSEC3 at ``owner``; ``None`` where there is none."""
        return self._chain().get(owner)

    def _chain(self):
        if "chain" not in self.__dict__:
            self.chain = self._nsec3() if self.nsec3 else self._nsec()
        return self.chain

    def _nsec(self):
        owners = sorted(self.visible())
        following = [*owners[1:], self.origin]
        return {
            o: self._denying(o, f"{n} ", {*self.types(o), T.NSEC, T.RRSIG})
            for o, n in zip(owners, following, strict=True)
        }

    def _nsec3(self):
        owners = set()
        for one in self.visible():
            if self.opt_out and one in self.cuts() and T.DS not in self.types(one):
                continue
            above = [one.split(labels)[1] for labels in range(len(self.origin), len(one) + 1)]
            owners.update(above)  # empty non-terminals too
        owners.add(self.origin)
        hashed = sorted((self.hash(o), o) for o in owners)
        chain = {}
        for index, (digest, owner) in enumerate(hashed):
            following = hashed[(index + 1) % len(hashed)][0]
            types = self.types(owner)
            types |= {T.RRSIG} if types and types != {T.NS} else set()
            types |= {T.NSEC3PARAM} if owner == self.origin else set()
            head = f"1 {int(self.opt_out)} {self.iterations} {self.salt.hex() or '-'} {following} "
            chain[owner] = self._denying(dns.name.Name([digest.encode(), *self.origin.labels]), head, types)
        return chain

    def hash(self, owner):
        return dns.dnssec.nsec3_hash(owner, self.salt, self.iterations, 1)

    def _denying(self, owner, head, types):
        kind = "NSEC3" if self.nsec3 else "NSEC"
        text = head + " ".join(dns.rdatatype.to_text(T(t)) for t in sorted(types))
        return dns.rrset.from_text(owner, 60, "IN", kind, text)

    def covering(self, owner):
        """The denial record over a name that does not exist (its hash does not, of NSEC3)."""
        if not self.nsec3:
            return self.denial(max(o for o in self._chain() if o < owner))
        chain = sorted(self._chain().values(), key=lambda rrset: rrset.name[0])
        wanted = self.hash(owner).encode()
        below = [rrset for rrset in chain if rrset.name[0].upper() < wanted]
        return below[-1] if below else chain[-1]

    def closest(self, owner):
        """The closest existing ancestor, and the name one label below it."""
        below = owner
        while not self.exists(below.parent()):
            below = below.parent()
        return below.parent(), below


@dataclass
class World:
    """Zones, and a resolver over them."""

    zones: dict = field(default_factory=dict)
    tamper: dict[str, Callable] = field(default_factory=dict)
    """Changes to the answer of a question, by its name and type."""
    obstacles: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)
    rounds: int = 0

    def zone(self, origin: str = "", *, delegate: bool = True, **how) -> Zone:
        made = Zone(name(origin), **how)
        self.zones[made.origin] = made
        if made.origin != ROOT:
            parent = self.over(made.origin.parent())
            parent.add(made.origin, "NS", "ns.invalid.")
            if made.algorithm and delegate:
                parent.add(made.origin, "DS", made.ds().to_text())
        return made

    def over(self, owner) -> Zone:
        while owner not in self.zones:
            owner = owner.parent()
        return self.zones[owner]

    @property
    def anchors(self) -> tuple[str, ...]:
        return (self.zones[ROOT].ds().to_text(),)

    def message(self, question: DnsQuestion):
        owner, kind = name(question.name), T[question.rdtype]
        reply = dns.message.make_query(owner, kind, want_dnssec=True)
        reply.id = 7
        reply.flags = dns.flags.QR | dns.flags.RD | dns.flags.RA | dns.flags.CD
        seen = set()
        while owner not in seen:
            seen.add(owner)
            zone = self.over(owner.parent() if kind == T.DS and owner != ROOT else owner)
            target = self._answer(reply, zone, owner, kind)
            if target is None:
                break
            owner = target
        change = self.tamper.get(f"{question.name} {question.rdtype}")
        if change:
            change(reply)
        return reply

    def _answer(self, reply, zone, owner, kind):
        if zone.exists(owner):
            source, expanded = owner, None
        else:
            encloser, _ = zone.closest(owner)
            wild = dns.name.Name([b"*", *encloser.labels])
            source = expanded = wild if zone.exists(wild) else None
        for rdtype in (kind, T.CNAME):
            found = zone.sets.get((source, int(rdtype)))
            if found is None:
                continue
            rrset = dns.rrset.from_rdata_list(owner, found.ttl, list(found))
            self._put(reply.answer, zone, rrset, expanded)
            if expanded is not None:
                self._no_closer(reply, zone, owner)
            return found[0].target if rdtype == T.CNAME != kind else None
        if source is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        soa = dns.rrset.from_rdata_list(zone.origin, 60, list(zone.sets[zone.origin, int(T.SOA)]))
        self._put(reply.authority, zone, soa)
        if zone.algorithm:
            self._deny(reply, zone, owner, source)
        return None

    def _no_closer(self, reply, zone, owner):
        if zone.algorithm:
            over = zone.closest(owner)[1] if zone.nsec3 else owner
            self._put(reply.authority, zone, zone.covering(over))

    def _deny(self, reply, zone, owner, source):
        at = zone.denial(owner)
        if at is not None:
            return self._put(reply.authority, zone, at)
        if source == owner and not zone.nsec3:  # an empty non-terminal
            return self._put(reply.authority, zone, zone.covering(owner))
        if source == owner and zone.opt_out:  # an unsigned delegation that is left out
            encloser = owner.parent()
            self._put(reply.authority, zone, zone.denial(encloser))
            return self._put(reply.authority, zone, zone.covering(owner))
        encloser, closer = zone.closest(owner)
        wild = dns.name.Name([b"*", *encloser.labels])
        proofs = [zone.covering(closer if zone.nsec3 else owner)]
        proofs += [zone.denial(encloser)] if zone.nsec3 else []
        proofs.append(zone.denial(wild) if source else zone.covering(wild))
        for proof in proofs:
            self._put(reply.authority, zone, proof)
        return None

    @staticmethod
    def _put(section, zone, rrset, wild=None):
        if rrset in section:
            return
        section.append(rrset)
        if zone.algorithm and rrset.rdtype != T.NS:
            section.append(zone.sign(rrset, wild))

    def observe(self, question: Question) -> Observation:
        assert isinstance(question, DnsQuestion)
        assert question.signed
        self.asked.append(question)
        if str(question) in self.obstacles:
            return self.obstacles[str(question)]
        reply = self.message(question)
        rcode = Rcode.NXDOMAIN if reply.rcode() == 3 else Rcode.NOERROR
        wire = reply.to_wire(max_size=65535)
        return DnsAnswer(question, rcode, (), question.name, 60, "192.0.2.53:53", SEEN_AT, False, wire)

    def settle(self, evaluate, observations: Observations | None = None):
        """Run an evaluator until nothing is missing; its result, and all that was observed."""
        observations = observations or Observations()
        self.rounds = 0
        while self.rounds < 30:
            try:
                return evaluate(observations), observations
            except Unobserved as missing:
                wanted = missing.questions
            assert not any(question in observations.answers for question in wanted)
            observations = observations.joined(self.observe(question) for question in wanted)
            self.rounds += 1
        raise AssertionError("asks without end")


def of_case(case: dict) -> World:
    """The zones of a check's case; see ``tests/contract/test_check_cases.py``."""
    how = case["dnssec"]
    world = World()
    world.zone("")
    listed = {**dict.fromkeys(how.get("signed", ()), 13), **dict.fromkeys(how.get("unsigned", ()))}
    for origin, algorithm in sorted(listed.items(), key=lambda item: item[0].count(".")):
        late = {"expiration": NOW - 1} if origin in how.get("expired", ()) else {}
        world.zone(origin, algorithm=algorithm, **late)
    for question, said in case.get("zone", {}).items():
        owner, _, rdtype = question.partition(" ")
        if isinstance(said, str):
            told = DnsQuestion(owner, rdtype, signed=True)
            world.obstacles[str(told)] = CouldNotLook(told, Obstacle(said), said, "192.0.2.53:53", SEEN_AT)
        elif owner not in case.get("aliases", {}):
            texts = [text if rdtype in ("A", "AAAA", "TLSA") else f"{text.rstrip('.')}." for text in said]
            world.over(name(owner)).add(name(owner), rdtype, *texts)
    for owner, target in case.get("aliases", {}).items():
        world.over(name(owner)).add(name(owner), "CNAME", f"{target}.")
        for family in ("A", "AAAA"):
            if f"{owner} {family}" in case["zone"]:
                world.over(name(target)).add(name(target), family, *case["zone"][f"{owner} {family}"])
    return world
