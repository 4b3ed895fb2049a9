"""The answers that prove one RRset, from the root's keys to it: few enough to be kept with what rests on them.

What RFC 9102 §3 does for TLS, with answers as they were recorded in place of a form of its own.  Signatures live for
weeks: a chain proves something years later only as of a time at which it is known to have existed, so the time is given,
and whoever keeps a chain keeps what shows its age with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from deliverability.evidence.observation import DnsAnswer, DnsQuestion, Observations, Unobserved
from deliverability.protocols.dnssec import IANA_ANCHORS, Reason, Status, TrustAnchor, Validation, signed, validate


@dataclass(frozen=True, slots=True)
class Chain:
    """The answers on which a validation rests, in the order in which they prove each other."""

    question: DnsQuestion
    answers: tuple[DnsAnswer, ...]
    """The root's keys first, the answer to :attr:`question` last; none of them can be left out."""
    validation: Validation
    """What they proved when the chain was put together."""

    def validate(self, at: int, anchors: Sequence[TrustAnchor] = IANA_ANCHORS) -> Validation:
        """What they prove by themselves at ``at`` (epoch seconds); never raises.

        A chain from which something was taken is ``indeterminate``, one in which something was changed ``bogus`` or
        ``indeterminate``.
        """
        try:
            return validate(self.question, Observations.of(self.answers), at, anchors)
        except Unobserved as missing:
            where = str(missing.questions[0])
            return Validation(
                question=self.question, status=Status.INDETERMINATE, reason=Reason.COULD_NOT_LOOK, where=where
            )


def chain_for(question: DnsQuestion, observations: Observations, anchors: Sequence[TrustAnchor], at: int) -> Chain:
    """The chain for a question, with or without its flag, out of all that was observed; raises ``Unobserved`` only.

    Also of an ``insecure`` answer: the chain then proves that no signatures lead to it.
    """
    wanted = signed(question.name, question.rdtype)
    found = validate(wanted, observations, at, anchors)
    answers = (observations.answers.get(used) for used in found.used)
    return Chain(wanted, tuple(one for one in answers if isinstance(one, DnsAnswer)), found)
