"""Words for a story that the sending program's own records tell: it was in no queue, and in nobody's log.

A log speaks of a server that goes on by itself, tries again and was reached first.  Of a message that a program handed
straight to the next server none of that is known, and the page must not say it.
"""

from deliverability.compose.catalog import Catalog
from deliverability.evidence.story import Message

_INSTEAD = {
    "act.deferred": "mailer.act-deferred",
    "act.deferred-full": "mailer.act-deferred-full",
    "act.failed": "mailer.act-failed",
    "act.failed.other": "mailer.act-failed",
    "answer.bounced.passed-on": "mailer.answer-bounced",
    "answer.deferred": "mailer.answer-deferred",
    "answer.deferred.untried": "mailer.answer-deferred",
    "answer.failed": "mailer.answer-failed",
    "answer.handed-over.own-relay": "mailer.answer-own-relay",
    "coverage.none": "mailer.coverage-none",
    "detail.deferred": "mailer.detail-deferred",
    "detail.handed-over.own-relay": "mailer.detail-own-relay",
    "fact.arrived": "mailer.fact-arrived",
    "fact.logged": "mailer.fact-logged",
    "fact.note": "mailer.fact-note",
    "failed.other": "mailer.failed-other",
    "genuine.domain.envelope": "mailer.genuine-domain",
    "keep.envelope": "mailer.keep-envelope",
    "limits.own-record": "mailer.limits-record",
    "limits.own-record-only": "mailer.limits-record-only",
    "log.label": "mailer.log-label",
    "origin.log": "mailer.origin",
    "result.deferred": "mailer.result-deferred",
    "rung.handed-on": "mailer.rung-handed-on",
    "rung.taken-in": "mailer.rung-taken-in",
    "sms.under-way": "mailer.sms-under-way",
    "state.deferred": "mailer.state-deferred",
    "time.logged": "mailer.time-logged",
    "tls.none": "mailer.tls-none",
    "tls.silent": "mailer.tls-silent",
}
"""What is only true of a log, and what stands in its place."""


def fitting(words: Catalog, message: Message | None) -> Catalog:
    """The catalogue as it fits the evidence."""
    if message is None or not message.by_mailer:
        return words
    own = {key: words.sentences[instead] for key, instead in _INSTEAD.items()}
    return Catalog(words.lang, {**words.sentences, **own})
