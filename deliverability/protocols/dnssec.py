"""DNSSEC validated here: what recorded answers prove, from the root's keys down, at a given time.

RFC 4033 §5 (secure, insecure, bogus, indeterminate), RFC 4035 §5, RFC 5155 §8, RFC 6840, RFC 9276 §3.2, algorithms by
RFC 9904 and RFC 9905.  Nothing here asks anybody: what is missing is raised as ``Unobserved``, with the questions that
will be needed next, so that a whole chain takes three rounds.  The answers are judged by their octets as they came
(:attr:`~deliverability.evidence.observation.DnsAnswer.wire`); what a resolver says of them counts for nothing.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from deliverability.evidence.observation import DnsQuestion, Observations
from deliverability.protocols.dnssec_terms import IANA_ANCHORS, Reason, Status, TrustAnchor, Validation, anchors_of

if TYPE_CHECKING:
    from deliverability.protocols.dnssec_walk import Walk

__all__ = [
    "IANA_ANCHORS",
    "Reason",
    "Status",
    "TrustAnchor",
    "Validation",
    "Validator",
    "anchors_of",
    "signed",
    "validate",
]


class Validator:
    """Answers about many names from one set of observations, each zone's keys proved once."""

    def __init__(self, observations: Observations, at: int, anchors: Sequence[TrustAnchor] = IANA_ANCHORS) -> None:
        """``at``: epoch seconds at which signatures must hold."""
        self._observations = observations
        self._at = at
        self._anchors = tuple(anchors)
        self._walk: Walk | None = None

    def validate(self, name: str, rdtype: str) -> Validation:
        """What is proved; raises ``Unobserved``, and nothing else."""
        if self._walk is None:
            from deliverability.protocols.dnssec_walk import Walk  # dnspython and what it needs, on first use

            self._walk = Walk(self._observations, self._anchors, self._at)
        return self._walk.validate(signed(name, rdtype))


def signed(name: str, rdtype: str) -> DnsQuestion:
    """The question with its signatures."""
    return DnsQuestion(name, rdtype, signed=True)


def validate(
    question: DnsQuestion, observations: Observations, at: int, anchors: Sequence[TrustAnchor] = IANA_ANCHORS
) -> Validation:
    """What ``observations`` prove of one question at ``at`` (epoch seconds); raises ``Unobserved``, and nothing else."""
    return Validator(observations, at, anchors).validate(question.name, question.rdtype)
