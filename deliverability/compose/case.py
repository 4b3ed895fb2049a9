"""What there is to tell about one message to one recipient: read once, used by every section."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo

from deliverability import plugins
from deliverability.compose.brand import Brand
from deliverability.compose.catalog import Catalog
from deliverability.compose.gate import signed
from deliverability.compose.kinds import Kind
from deliverability.compose.recognise import provider_id
from deliverability.compose.redact import masked, tells
from deliverability.compose.sender import Known, sender_of
from deliverability.compose.when import moment
from deliverability.evidence.bundle import Assessment
from deliverability.evidence.document import Edition
from deliverability.evidence.event import Result, Transport
from deliverability.evidence.observation import Unobserved
from deliverability.evidence.plugin import Provider, ProviderKind
from deliverability.evidence.story import Attempt, Delivery, Message, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One assessment, for one reader."""

    assessment: Assessment
    kind: Kind
    t: Catalog
    where: tzinfo
    brand: Brand
    edition: Edition
    made_at: datetime
    provider: Provider
    sender: Known
    hide: Callable[[str], str]
    """Takes other people's addresses out of a text (customer edition)."""

    @property
    def lang(self) -> str:
        """The reader's language."""
        return self.t.lang

    @property
    def message(self) -> Message | None:
        """The message, as far as the record has it."""
        return self.assessment.evidence.message

    @property
    def delivery(self) -> Delivery | None:
        """Its story for this recipient."""
        return self.assessment.evidence.delivery

    @property
    def attempt(self) -> Attempt | None:
        """The attempt on which the answer rests."""
        return self.assessment.evidence.attempt

    @property
    def answered(self) -> Attempt | None:
        """The newest attempt that another server answered: its words tell why, where our server then gave up."""
        attempts = self.delivery.attempts if self.delivery else ()
        return next((a for a in reversed(attempts) if a.relay and a.reply), None)

    @property
    def taken_by_mx(self) -> bool:
        """Whether a server that the recipient's domain names took it, whatever came back later."""
        attempts = self.delivery.attempts if self.delivery else ()
        return any(a.result is Result.SENT and self.role_at(a) in (Role.RECIPIENT_MX, Role.OWN_MX) for a in attempts)

    def role_at(self, attempt: Attempt) -> Role:
        """Who answered another attempt than the one that the answer rests on."""
        from deliverability.assess import role_of

        try:
            return role_of(attempt, self.assessment.evidence)[0]
        except Unobserved:
            return Role.UNCONFIRMED

    @property
    def gateway(self) -> bool:
        """Whether what answers for the mailbox is a filter in front of it."""
        return self.provider.kind is ProviderKind.GATEWAY and self.role is not Role.OWN_MX

    @property
    def uncertain(self) -> bool:
        """Whether the answer rests on a connection that broke after the end of DATA (RFC 1047)."""
        return self.kind is Kind.UNKNOWN and self.attempt is not None and self.attempt.result is Result.UNCERTAIN

    @property
    def unrecorded(self) -> bool:
        """Whether it was refused in words that the log does not hold."""
        return self.attempt is not None and self.attempt.result is Result.REFUSED

    @property
    def to_program(self) -> bool:
        """Whether our own server gave it to a program, not to another server."""
        return self.assessment.claim is not None and self.assessment.claim.basis == "own-program"

    @property
    def untried(self) -> bool:
        """Whether the newest entry reports that nothing was tried: no transport ran, and no server took part."""
        last = self.attempt
        return last is not None and last.transport is Transport.NONE and last.relay is None and last.reply is None

    @property
    def role(self) -> Role:
        """Who answered."""
        return self.assessment.claim.role if self.assessment.claim else Role.NONE

    @property
    def recipient(self) -> str:
        """The address that we used, as this reader may see it."""
        return masked(self._address) if self.redacted and self._address else self._address

    @property
    def _address(self) -> str:
        return self.delivery.recipient if self.delivery else ""

    @property
    def subject(self) -> str | None:
        """The message's subject."""
        subject = self.message.subject if self.message else None
        if not subject or not self.redacted or self._address.casefold() not in subject.casefold():
            return subject
        return re.sub(re.escape(self._address), lambda _: self.recipient, subject, flags=re.IGNORECASE)

    @property
    def message_id(self) -> str | None:
        """Without angle brackets."""
        return self._untelling(self.message.message_id if self.message else None)

    @property
    def reverse_path(self) -> str | None:
        """The envelope's sender; empty for the null path."""
        path = self.message.reverse_path if self.message else None
        return path if path is None or self._untelling(path) else self.t("address.hidden")

    def _untelling(self, text: str | None) -> str | None:
        """The text, unless it gives away an address that this reader may not see."""
        return None if text is None or (self.redacted and tells(text, self._address)) else text

    @property
    def forwarded(self) -> str:
        """Where mail for the recipient goes on to: in full for support, masked for a customer; mostly empty."""
        paths = [p for p in self.delivery.forward_paths if not self._same_mailbox(p)] if self.delivery else []
        return ", ".join(paths if self.support else [masked(path) for path in paths])

    def _same_mailbox(self, path: str) -> bool:
        """Exim logs a delivery into a mailbox of its own host under the local part alone: that is no other address.

        Nor is a folder of it, which a filter on cPanel names by its path.
        """
        local, _, domain = self._address.casefold().rpartition("@")
        return path == self._address or path.casefold() == local or f"/{domain}/{local}/" in path.casefold()

    @property
    def in_own_mailbox(self) -> bool:
        """Whether it is in the mailbox of the address itself, wherever copies went on to."""
        return self.kind is Kind.DELIVERED and self.attempt is not None and self._same_mailbox(self.attempt.recipient)

    @property
    def parts(self) -> tuple[Delivery, ...]:
        """The story of each address behind the recipient's, where they did not all end alike."""
        parts = self.delivery.parts if self.delivery else ()
        return parts if len({part.state for part in parts}) > 1 else ()

    def shown(self, path: str) -> str:
        """An address behind the recipient's: in full for support, masked for a customer."""
        return path if self.support or (path == self._address and not self.redacted) else masked(path)

    @property
    def tried(self) -> str:
        """The address that the answer is about: the recipient, or where its mail goes on to.

        Of several, the one that the answer rests on: no server said anything of the others.
        """
        if self.delivery and self.delivery.parts and self.attempt and self.kind is not Kind.DELIVERED:
            return self.shown(self.attempt.recipient)
        return self.recipient if self.in_own_mailbox else self.forwarded or self.recipient

    @property
    def domain(self) -> str:
        """The domain of that address, as its owner writes it."""
        domain = self.assessment.evidence.recipient_domain
        return domain.unicode if domain else self._address.rpartition("@")[2]

    @property
    def provider_name(self) -> str:
        """The provider's name in the reader's language, spaced from Chinese text where it ends in Latin letters."""
        name = self.t.pick(self.provider.name)
        return f"{name} " if self.lang == "zh-Hant-TW" and name[-1:].isascii() else name

    @property
    def relay(self) -> str:
        """The host on the other side, by name or else by address."""
        host = self.attempt.relay if self.attempt else None
        return (host.name or host.ip or "") if host else ""

    @property
    def when(self) -> str:
        """When the answer was given, in the reader's zone; or what the log wrote, where the zone is unknown."""
        attempt = self.attempt
        time = attempt.at if attempt else self.message.arrived if self.message else None
        if self.kind in (Kind.HELD, Kind.CANCELLED) and self.delivery and self.delivery.halted:
            time = self.delivery.halted  # not the try before it
        if time is None:
            return self.t("when.none")
        if time.of_earlier:
            return self.t("when.not-recorded")
        if time.instant is None:
            return self.t("when.unresolved", logged=time.logged)
        return moment(time.instant, self.where, self.lang)

    @property
    def arrived(self) -> str:
        """When our first queue took it in; empty where that is not known."""
        time = self.message.arrived if self.message else None
        return moment(time.instant, self.where, self.lang) if time and time.instant else ""

    def together(self, *sentences: str) -> str:
        """Sentences one after the other: in Chinese without a blank between them."""
        return ("" if self.lang == "zh-Hant-TW" else " ").join(filter(None, sentences))

    @property
    def support(self) -> bool:
        """Whether this is the edition for our own staff."""
        return self.edition is Edition.SUPPORT

    @property
    def redacted(self) -> bool:
        """Whether the recipient's own address is masked: the reader is not shown to be the customer."""
        return self.edition is Edition.REDACTED


def provider_for(assessment: Assessment, kind: Kind) -> Provider:
    """The provider whose steps are shown; never "our own server" where it was not, nor another where it was."""
    ours = kind is Kind.ACCEPTED_OWN or (assessment.claim is not None and assessment.claim.role is Role.OWN_MX)
    provider = _load("own-server" if ours else assessment.provider or provider_id(assessment.evidence))
    if provider.kind is ProviderKind.OWN and not ours and kind is not Kind.DELIVERED:
        return _load("generic")
    return provider


def _load(plugin: str) -> Provider:
    try:
        provider = plugins.load("providers", plugin)
    except Exception:  # noqa: BLE001 - a broken provider file costs its steps, never the customer's answer
        provider = plugins.load("providers", "generic")
    return provider if isinstance(provider, Provider) else _load("generic")


def sender_known(assessment: Assessment, brand: Brand) -> Known:
    """The address that the reader sees as the sender, as far as it is known."""
    return sender_of(assessment.evidence, brand, signed=signed(assessment.verdicts))
