"""English and Chinese claim the same: level, negations, actors and numbers, over everything that compose can say."""

import dataclasses
import importlib.util
import itertools
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from deliverability import plugins
from deliverability.compose.catalog import Catalog, catalog
from deliverability.compose.kinds import NO_PAGE, kind_of
from deliverability.compose.page import compose
from deliverability.compose.reason import why_refused
from deliverability.evidence.bundle import Strength
from deliverability.evidence.document import Answer, Edition, Ladder, Link, Quote, Table
from deliverability.evidence.event import Result
from deliverability.evidence.smtp import Host
from deliverability.evidence.story import Level, Role, State
from deliverability.evidence.verdict import Outcome

spec = importlib.util.spec_from_file_location("f", Path(__file__).parents[1] / "golden" / "_factory.py")
factory = importlib.util.module_from_spec(spec)
spec.loader.exec_module(factory)

LANGUAGES = ("en", "zh-Hant-TW")
EN, ZH = (catalog(lang).sentences for lang in LANGUAGES)
SUBJECT = "INV-20411"  # one for both languages: what the reader did not write must not differ
PROVIDERS = ("gmail", "mimecast", "own-server", "generic", "icloud", "hinet")
# A reply for each cause that the page tells apart.
REPLIES = {
    "no-mailbox": "550 5.1.1 The email account that you tried to reach does not exist",
    "no-domain": "550 5.1.2 We do not relay for this domain",
    "mailbox-disabled": "550 5.2.1 The email account that you tried to reach is disabled",
    "mailbox-full": "552 5.2.2 The recipient's inbox is out of storage space",
    "too-large": "552 5.3.4 Message size exceeds fixed limit",
    "unauthenticated": "550 5.7.26 This mail is unauthenticated",
    "policy": "550 5.7.1 Message rejected due to local policy",
    "rate-limited": "421 4.7.28 Our system has detected an unusual rate of mail",
    "trouble": "451 4.3.0 Temporary system problem",
    "loop": "554 5.4.6 Too many hops",
    "other": "554 Q7 nein danke",
}

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_EN_DAY = re.compile(
    rf"[A-Z][a-z]+day (\d{{1,2}}) ({'|'.join(MONTHS)}) (\d{{4}})(?:, (\d\d:\d\d) \(Asia/Taipei, UTC\+8\))?"
)
_EN_SHORT = re.compile(rf"\b(\d{{1,2}}) ({'|'.join(m[:3] for m in MONTHS)})\b")
_ZH_DAY = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日（[一二三四五六日]）(?:(\d\d:\d\d)（台北時間）)?")
_DATUM = re.compile(r"[A-Za-z0-9_.@:/+=\[\]-]*[0-9@][A-Za-z0-9_.@:/+=\[\]-]*")


def data(text: str) -> Counter[str]:
    """What both languages must hold alike: numbers, addresses, ids, and moments in one spelling."""
    text = _EN_DAY.sub(lambda m: f" {m[3]}-{MONTHS.index(m[2]) + 1}-{m[1]}T{m[4] or ''} ", text)
    text = _ZH_DAY.sub(lambda m: f" {m[1]}-{int(m[2])}-{int(m[3])}T{m[4] or ''} ", text)
    text = _EN_SHORT.sub(lambda m: f"{[n[:3] for n in MONTHS].index(m[2]) + 1}/{m[1]}", text)
    return Counter(word.strip(".:/") for word in _DATUM.findall(text))


@pytest.fixture
def said(monkeypatch):
    """Every sentence that is chosen, with its key and the names of what is filled in."""
    calls: list[tuple[str, tuple[str, ...], str]] = []
    plain = Catalog.__call__

    def recorded(self: Catalog, key: str, /, **parameters: object) -> str:
        text = plain(self, key, **parameters)
        calls.append((key, tuple(sorted(parameters)), text))
        return text

    monkeypatch.setattr(Catalog, "__call__", recorded)
    return calls


def alike(said, make, edition) -> None:
    """Compose in both languages; the same sentences with the same facts, block for block."""
    told, pages = [], []
    for lang in LANGUAGES:
        said.clear()
        assessment = make(lang)
        edition = Edition.SUPPORT if kind_of(assessment) in NO_PAGE else edition
        brand = factory.BRAND
        page = compose(
            assessment, lang=lang, timezone="Asia/Taipei", brand=brand, made_at=factory.MADE_AT, edition=edition
        )
        told.append(list(said))
        pages.append(page)
    assert [call[:2] for call in told[0]] == [call[:2] for call in told[1]]
    for (key, _, english), (_, _, chinese) in zip(*told, strict=True):
        assert data(english) == data(chinese), key
    assert shape(pages[0]) == shape(pages[1])


def shape(page):
    """What a page is made of, without its words: sections, blocks, rungs, tones, links, literal text."""
    shown = []
    for section in page.sections:
        for block in section.blocks:
            told = type(block).__name__
            match block:
                case Answer():
                    told = (told, block.tone, bool(block.detail))
                case Ladder():
                    told = (told, tuple((rung.reached, bool(rung.note)) for rung in block.rungs))
                case Link():
                    told = (told, block.url)
                case Table():
                    told = (told, len(block.head), len(block.rows))
                case Quote() if block.literal:
                    told = (told, data(block.text))  # but for what stands where an address was hidden
            shown.append((section.id, told))
    return shown, len(page.short), page.edition, page.link


def attempt(result, reply="250 2.0.0 OK queued as 4XyZ1234"):
    return (factory.attempt("mei@gmail.com", reply, result=result, relay=Host("mx.example", "192.0.2.27", 25)),)


@pytest.mark.parametrize("state", list(State))
def test_every_level_role_and_result_is_told_alike(said, state):
    results = [*((result, attempt(result)) for result in Result), (None, ())]
    for level, role, (_, attempts) in itertools.product(Level, Role, results):
        alike(
            said,
            lambda lang, level=level, role=role, attempts=attempts: factory.assessment(
                state, level, role, lang=lang, subject=SUBJECT, attempts=attempts
            ),
            Edition.CUSTOMER,
        )


@pytest.mark.parametrize("cause", REPLIES)
def test_every_cause_is_told_alike(said, cause):
    attempts = attempt(Result.FAILED, REPLIES[cause])
    assert why_refused(attempts[0]) == cause
    for state, role in itertools.product(
        (State.REFUSED, State.DEFERRED, State.EXPIRED, State.BOUNCED, State.FAILED, State.CANCELLED), Role
    ):
        alike(
            said,
            lambda lang, state=state, role=role: factory.assessment(
                state, Level.NONE, role, lang=lang, subject=SUBJECT, attempts=attempts
            ),
            Edition.CUSTOMER,
        )


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_source_and_finding_is_told_alike(said, provider):
    checked = [
        factory.verdicts(dkim=dkim, dmarc=dmarc, aligned=dkim, enforced=enforced)
        for dkim, dmarc, enforced in itertools.product(
            (Outcome.PASS, Outcome.FAIL, Outcome.INDETERMINATE),
            (Outcome.PASS, Outcome.FAIL),
            (Outcome.PASS, Outcome.FAIL),
        )
    ]
    arrivals = ((State.DELIVERED, Level.DELIVERED, Role.NONE), (State.ACCEPTED, Level.ACCEPTED, Role.RECIPIENT_MX))
    for (state, level, role), found, by_mailer in itertools.product(
        (*arrivals, (State.ACCEPTED, Level.ACCEPTED, Role.OWN_MX), (State.DEFERRED, Level.NONE, Role.RECIPIENT_MX)),
        checked,
        (False, True),
    ):

        def make(lang, state=state, level=level, role=role, found=found, by_mailer=by_mailer):
            made = factory.assessment(state, level, role, lang=lang, subject=SUBJECT, checked=found, provider=provider)
            message = replace(made.evidence.message, by_mailer=by_mailer)
            return replace(made, evidence=replace(made.evidence, message=message))

        alike(said, make, Edition.SUPPORT if by_mailer else Edition.REDACTED)


@pytest.mark.parametrize("edition", list(Edition))
@pytest.mark.parametrize("strength", list(Strength))
def test_every_branch_strength_and_edition_is_told_alike(said, edition, strength):
    for branch in factory.BRANCHES.values():

        def make(lang, branch=branch):
            made = branch(lang)
            message = replace(made.evidence.message, subject=SUBJECT)
            return replace(
                made,
                claim=replace(made.claim, strength=strength),
                evidence=replace(made.evidence, message=message),
            )

        alike(said, make, edition)


# --- words ------------------------------------------------------------------------------------------------------------

# What a sentence may claim, and the words by which it is known, in English and in Chinese.
WORDS = {
    "taken": (r"\b(accepted|taken|take|took)\b(?! out)", r"收下|接下|接受"),
    "refused": (r"\brefused\b", r"拒收|拒絕"),
    "handed on": (r"\b(passed|handed|offered)\b", r"交給|轉給|交出|轉交"),
    "in the mailbox": (r"\b(into the|to the|in a|into a) mailbox\b", r"(放進|寫入)信箱"),
    "not sent": (r"could not be sent|\bfailed\b|not go out|not left us", r"無法寄出|沒有(寄出|離開)"),
    "given up": (r"\bg(a|i)ven? up\b", r"放棄|停止嘗試|不再嘗試"),
    "came back": (r"\bcame back\b|\breturned\b", r"退回"),
    "tried again": (r"\b(tried|tries) again\b|\b(still|goes on) trying\b", r"再試|(?<!不)再嘗試|仍在嘗試"),
    "open": (r"\bmay\b|\bperhaps\b|\buncertain\b|not certain|not known?\b|\bunknown\b", r"可能|無法確定|不確定|不明"),
    "sorry": (r"\bsorry\b", r"抱歉"),
    "ours": (r"\b(our|ours|us|we)\b|from here", r"我們|我方|從這裡"),
    "yours": (r"\byours?\b", r"您"),
    "no": (r"\b(not?|nobody|nothing|cannot|without|failed|unknown|uncertain)\b", r"不(?!再嘗試)|沒|無|尚未"),
}
# Each sentence that says how far a message came, and all that it claims: written by hand, held in both languages.
CLAIMS = {
    "answer.accepted": "taken",
    "answer.accepted-own": "taken, ours",
    "answer.accepted.gateway": "taken, yours",
    "answer.bounced": "taken, in the mailbox, came back, no",
    "answer.bounced.passed-on": "came back, ours, no",
    "answer.cancelled": "taken, sorry, ours",
    "answer.deferred": "taken, tried again, ours, no",
    "answer.deferred.untried": "taken, tried again, ours, no",
    "answer.handed-over.own-program": "handed on, ours",
    "detail.handed-over.own-program": "no",
    "answer.deferred.in-part": "taken, tried again, ours, no",
    "answer.expired.in-part": "taken, given up, ours, no",
    "answer.failed.in-part": "not sent, given up, ours, no",
    "detail.expired.in-part": "no",
    "answer.delivered": "in the mailbox",
    "answer.expired": "taken, given up, ours, no",
    "answer.failed": "not sent, given up, ours, no",
    "answer.handed-over.intermediary": "handed on, ours",
    "answer.handed-over.own-relay": "handed on, ours",
    "answer.handed-over.unconfirmed": "handed on, ours",
    "answer.held": "not sent, sorry, ours, no",
    "answer.not-found": "no",
    "answer.put-off-by-us": "taken, ours, no",
    "answer.queued": "ours, no",
    "answer.recorded": "ours, no",
    "answer.refused-by-us": "taken, not sent, sorry, ours, no",
    "answer.refused-on-the-way": "refused, sorry, ours, yours, no",
    "answer.refused-own-mx": "refused, ours",
    "answer.refused.host": "refused",
    "answer.refused.mx": "refused",
    "answer.uncertain": "taken, open, ours, no",
    "answer.unknown": "taken, open, ours, no",
    "detail.accepted": "ours, yours, no",
    "detail.accepted-own": "ours, no",
    "detail.accepted.gateway": "ours, no",
    "detail.bounced": "",
    "detail.cancelled": "ours",
    "detail.deferred": "",
    "detail.deferred-full": "",
    "detail.delivered": "open, ours, no",
    "detail.delivered-folder": "ours, no",
    "detail.expired": "no",
    "detail.expired-full": "no",
    "detail.handed-over.intermediary": "taken, yours, no",
    "detail.handed-over.own-relay": "no",
    "detail.handed-over.unconfirmed": "taken, ours, no",
    "detail.held": "ours",
    "detail.not-found": "no",
    "detail.parts": "no",
    "detail.put-off-by-us": "ours, no",
    "detail.queued": "not sent, ours, no",
    "detail.recorded": "no",
    "detail.refused-by-us": "ours",
    "detail.refused-on-the-way": "ours",
    "detail.uncertain": "open, yours",
    "detail.uncertain-later": "open, yours, no",
    "limits.arrived": "no",
    "limits.handed-over": "taken, yours, no",
    "limits.own-record": "ours",
    "limits.own-record-only": "ours",
    "limits.recorded": "taken, no",
    "limits.refused": "no",
    "limits.refused-unrecorded": "refused, ours, no",
    "limits.unknown": "taken, no",
    "mailer.answer-bounced": "came back, ours, no",
    "mailer.answer-deferred": "taken, no",
    "mailer.answer-failed": "not sent, given up, ours, no",
    "mailer.answer-own-relay": "handed on, ours",
    "mailer.detail-deferred": "tried again, no",
    "mailer.detail-own-relay": "no",
    "mailer.result-deferred": "taken, no",
    "mailer.rung-handed-on": "ours",
    "mailer.rung-taken-in": "ours",
    "mailer.sms-under-way": "taken, ours, no",
    "mailer.state-deferred": "taken, no",
    "result.deferred": "tried again, no",
    "result.discarded": "no",
    "result.expired": "given up",
    "result.failed": "given up",
    "result.passed-on": "handed on",
    "result.program": "handed on",
    "result.refused": "refused",
    "result.sent": "taken",
    "result.stored": "in the mailbox",
    "result.uncertain": "open, no",
    "role.intermediary": "ours",
    "role.none": "no",
    "role.own-mx": "ours",
    "role.own-relay": "ours",
    "role.recipient-mx": "",
    "role.unconfirmed": "no",
    "rung.accepted": "taken, yours",
    "rung.accepted.gateway": "taken, yours",
    "rung.accepted.own": "taken, ours, yours",
    "rung.handed-on": "ours",
    "rung.mailbox": "in the mailbox",
    "rung.note.no": "no",
    "rung.note.not-yet": "no",
    "rung.note.offered": "taken, handed on, no",
    "rung.note.open": "ours, no",
    "rung.note.refused": "refused",
    "rung.note.uncertain": "open, no",
    "rung.note.unrecorded": "no",
    "rung.opened": "",
    "rung.taken-in": "ours",
    "rung.yes": "",
    "seal.finish.accepted-mx": "taken",
    "seal.finish.accepted-relay": "handed on",
    "seal.finish.deferred": "tried again, no",
    "seal.finish.failed": "not sent, no",
    "seal.finish.open": "no",
    "seal.finish.refused": "refused",
    "seal.finish.returned": "no",
    "seal.finish.uncertain": "taken, open",
    "seal.finish.unknown": "open, no",
    "service.answer-bounced-passed-on": "came back, no",
    "service.answer-cancelled": "taken",
    "service.answer-deferred": "taken, tried again, no",
    "service.answer-expired": "taken, given up, no",
    "service.answer-failed": "not sent, given up, no",
    "service.answer-handed-over-intermediary": "handed on, ours",
    "service.answer-handed-over-own-relay": "handed on, ours",
    "service.answer-handed-over-unconfirmed": "handed on",
    "service.answer-held": "not sent, no",
    "service.answer-queued": "no",
    "service.answer-refused-on-the-way": "refused, sorry, ours, yours, no",
    "service.answer-unknown": "taken, open, no",
    "service.detail-accepted-own": "no",
    "service.detail-delivered-folder": "ours, no",
    "service.detail-handed-over-unconfirmed": "taken, ours, no",
    "service.failed-other": "refused, no",
    "service.rung-handed-on": "",
    "service.rung-taken-in": "",
    "service.state-cancelled": "",
    "service.state-queued": "",
    "service.to-nobody": "handed on, in the mailbox",
    "service.to-nobody-act": "ours, no",
    "service.to-nobody-detail": "no",
    "sms.accepted": "taken, ours",
    "sms.folder": "",
    "sms.look": "ours",
    "sms.look-short": "ours",
    "sms.not-delivered": "ours, no",
    "sms.ours": "sorry, ours",
    "sms.ours-short": "sorry, ours",
    "sms.see": "ours",
    "sms.see-short": "ours",
    "sms.under-way": "ours",
    "state.accepted": "taken",
    "state.bounced": "came back",
    "state.cancelled": "ours",
    "state.deferred": "tried again",
    "state.delivered": "in the mailbox",
    "state.expired": "given up",
    "state.failed": "not sent, no",
    "state.handed-over": "handed on",
    "state.not-found": "no",
    "state.put-off-by-us": "ours",
    "state.queued": "ours",
    "state.recorded": "",
    "state.refused": "refused",
    "state.unknown": "open, no",
    "summary.fate.accepted": "taken",
    "summary.fate.deferred": "",
    "summary.fate.delivered": "in the mailbox",
    "summary.fate.discarded": "ours",
    "summary.fate.expired": "given up",
    "summary.fate.failed": "not sent, no",
    "summary.fate.handed-over": "handed on",
    "summary.fate.passed-on": "handed on, ours",
    "summary.fate.refused": "refused",
    "summary.fate.unknown": "open, no",
}
ABOUT_FATE = (
    *("answer.", "detail.", "limits.", "result.", "role.", "rung.", "seal.finish.", "sms.", "state.", "summary.fate."),
    *("mailer.answer", "mailer.detail", "mailer.result", "mailer.rung", "mailer.sms", "mailer.state"),
    *("service.answer", "service.detail", "service.failed", "service.rung", "service.state", "service.to-nobody"),
)
ABOUT_SOMETHING_ELSE = {"detail.unknown", "limits.observed-later", "limits.other"}


def claims(text: str, language: int) -> list[str]:
    return [claim for claim, patterns in WORDS.items() if re.search(patterns[language], text, re.IGNORECASE)]


def test_every_sentence_about_a_fate_is_in_the_table():
    assert {key for key in EN if key.startswith(ABOUT_FATE)} == set(CLAIMS) | ABOUT_SOMETHING_ELSE


@pytest.mark.parametrize("key", CLAIMS)
def test_a_sentence_claims_what_the_table_says_in_both_languages(key):
    assert ", ".join(claims(EN[key], 0)) == CLAIMS[key]
    assert ", ".join(claims(ZH[key], 1)) == CLAIMS[key]


# Per state: what the first sentence has to say, and what it must not.
ANSWERS = {
    (State.DELIVERED, Level.DELIVERED, Role.NONE): ({"in the mailbox"}, {"handed on", "refused", "open", "no"}),
    (State.ACCEPTED, Level.ACCEPTED, Role.RECIPIENT_MX): ({"taken"}, {"in the mailbox", "handed on", "no", "ours"}),
    (State.ACCEPTED, Level.ACCEPTED, Role.OWN_MX): ({"taken", "ours"}, {"in the mailbox", "handed on", "no"}),
    (State.HANDED_OVER, Level.HANDED_OVER, Role.UNCONFIRMED): ({"handed on"}, {"taken", "in the mailbox"}),
    (State.HANDED_OVER, Level.HANDED_OVER, Role.OWN_RELAY): ({"handed on", "ours"}, {"taken", "in the mailbox"}),
    (State.HANDED_OVER, Level.HANDED_OVER, Role.INTERMEDIARY): ({"handed on", "ours"}, {"taken", "in the mailbox"}),
    (State.DEFERRED, Level.NONE, Role.RECIPIENT_MX): ({"taken", "no", "tried again"}, {"in the mailbox", "given up"}),
    (State.REFUSED, Level.NONE, Role.RECIPIENT_MX): ({"refused"}, {"taken", "in the mailbox", "ours", "handed on"}),
    (State.REFUSED, Level.NONE, Role.OWN_MX): ({"refused", "ours"}, {"taken", "in the mailbox", "handed on"}),
    (State.FAILED, Level.NONE, Role.NONE): ({"not sent", "given up"}, {"taken", "in the mailbox", "refused"}),
    (State.EXPIRED, Level.NONE, Role.RECIPIENT_MX): ({"taken", "no", "given up"}, {"in the mailbox", "refused"}),
    (State.BOUNCED, Level.NONE, Role.NONE): ({"came back", "no"}, {"refused", "given up"}),
    (State.CANCELLED, Level.NONE, Role.NONE): ({"sorry", "ours"}, {"in the mailbox", "refused", "handed on"}),
    (State.QUEUED, Level.NONE, Role.NONE): ({"ours", "no"}, {"taken", "in the mailbox", "refused", "handed on"}),
    (State.UNKNOWN, Level.NONE, Role.NONE): ({"open"}, {"in the mailbox", "refused", "handed on", "given up"}),
}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("claimed", ANSWERS, ids=lambda claimed: f"{claimed[0]}-{claimed[2]}")
def test_the_first_sentence_says_its_level_and_no_other(claimed, lang):
    made = factory.assessment(*claimed, lang=lang, subject=SUBJECT, attempts=attempt(Result.SENT))
    page = compose(made, lang=lang, timezone="Asia/Taipei", brand=factory.BRAND, made_at=factory.MADE_AT)
    text = next(block.text for block in page.sections[0].blocks if isinstance(block, Answer))
    found, (wanted, forbidden) = set(claims(text, LANGUAGES.index(lang))), ANSWERS[claimed]
    assert wanted <= found
    assert not forbidden & found


# --- the plug-ins' own prose ------------------------------------------------------------------------------------------

# Words that may not stand in one language alone.
SHARED = {
    "sorry": (r"\bsorry\b", r"抱歉"),
    "customer": (r"\bcustomers?\b(?! service)", r"客戶"),
    "inbox": (r"\binbox\b", r"收件匣"),
    "reader, as of a book": (r"(?!)", r"讀者"),  # who reads mail is 收件者
}
ORGANISATIONS = {"barracuda.messages.junk"}  # a filter's customer is an organisation, in Chinese 單位
ASKED_OF_WHOM = {"reachable-when-about-expires.messages.within"}  # English leaves out of whom a contact is asked


def told_twice(value, name):
    """Every text of a plug-in that stands in both languages, wherever it is kept."""
    if isinstance(value, (tuple, list)):
        for part in value:
            yield from told_twice(part, name)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from told_twice(getattr(value, field.name), f"{name}.{field.name}")
    elif hasattr(value, "items"):
        if set(value) == set(LANGUAGES):
            yield (
                name,
                *("\n".join([value[lang]] if isinstance(value[lang], str) else value[lang]) for lang in LANGUAGES),
            )
        else:
            for key, part in value.items():
                yield from told_twice(part, f"{name}.{key}")


@pytest.mark.parametrize("folder", ["allowlists", "checks", "filters", "providers"])
def test_plugins_name_the_same_things_and_people_in_both_languages(folder):
    exempt = ORGANISATIONS | ASKED_OF_WHOM
    told = [
        (name, en, zh) for plugin, loaded in plugins.load_all(folder) for name, en, zh in told_twice(loaded, plugin)
    ]
    assert len(told) > 20
    differ = [
        (name, word)
        for name, en, zh in told
        for word, (english, chinese) in SHARED.items()
        if bool(re.search(english, en, re.IGNORECASE)) != bool(re.search(chinese, zh)) and name not in exempt
    ]
    assert differ == []
    placeholders = re.compile(r"\{(\w+)\}")
    assert [name for name, en, zh in told if set(placeholders.findall(en)) != set(placeholders.findall(zh))] == []
    numbers = re.compile(r"(?<![\w.])\d{2,}(?:\.\d+)*(?![\w.])")
    assert [n for n, en, zh in told if set(numbers.findall(en)) - set(numbers.findall(zh))] == []


# --- what a service did is not said of our own server ------------------------------------------------------------------

SERVICE = "Microsoft 365"
OUR_DOING = (
    re.compile(
        r"\bour (own )?((mail )?server|system|log|record|queue|list)|server of our own|\bour own\b", re.IGNORECASE
    ),
    re.compile(r"我們(自己)?的?(郵件)?(伺服器|系統|紀錄|佇列)|我方|我們自己"),
)
OF_OURS = frozenset({Role.OWN_MX, Role.OWN_RELAY, Role.INTERMEDIARY})
"""Where the other side is ours, the page says that of it."""


def by_service(state, level, role, lang, result, relay, *, alone=True):
    made = attempt(result)[0] if result else None
    attempts = (replace(made, witness=SERVICE, relay=made.relay if relay else None, text="Failed"),) if made else ()
    basis = "service-record" if state is State.HANDED_OVER and not relay else "mail-store"
    page = factory.assessment(
        state, level, role, lang=lang, subject=SUBJECT, attempts=attempts, strength=Strength.THIRD_PARTY_RECORD
    )
    message = replace(page.evidence.message, witness=SERVICE if alone else None)
    claim = replace(page.claim, basis=basis, strength=Strength.THIRD_PARTY_RECORD)
    return replace(page, claim=claim, evidence=replace(page.evidence, message=message))


SERVED = [
    state for state in State if state not in (State.NOT_FOUND, State.RECORDED)
]  # of these two no server, and no service, says anything


@pytest.mark.parametrize("state", SERVED)
def test_every_word_of_a_services_record_is_told_alike(said, state):
    for level, role, result, relay in itertools.product(Level, Role, (None, *Result), (True, False)):
        alike(
            said,
            lambda lang, level=level, role=role, result=result, relay=relay: by_service(
                state, level, role, lang, result, relay
            ),
            Edition.CUSTOMER,
        )


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("state", SERVED)
def test_what_a_service_did_is_not_said_of_our_server(lang, state):
    ours = OUR_DOING[LANGUAGES.index(lang)]
    for role, result, relay in itertools.product(
        set(Role) - OF_OURS, (None, Result.SENT, Result.FAILED), (True, False)
    ):
        made = by_service(state, Level.HANDED_OVER, role, lang, result, relay)
        page = compose(made, lang=lang, timezone="Asia/Taipei", brand=factory.BRAND, made_at=factory.MADE_AT)
        told = [block for section in page.sections for block in section.blocks]
        texts = [b.text for b in told if isinstance(b, Answer)] + [b.detail for b in told if isinstance(b, Answer)]
        texts += [rung.label for b in told if isinstance(b, Ladder) for rung in b.rungs]
        texts += [str(b) for b in told if type(b).__name__ in ("Facts", "Paragraph", "Note")]
        for text in texts:
            assert not ours.search(text), (role, result, relay, text)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_our_own_server_stays_the_first_where_a_service_tells_the_rest(lang):
    made = by_service(State.FAILED, Level.NONE, Role.NONE, lang, Result.FAILED, relay=False, alone=False)
    page = compose(made, lang=lang, timezone="Asia/Taipei", brand=factory.BRAND, made_at=factory.MADE_AT)
    shown = [block for block in page.sections[0].blocks if isinstance(block, Ladder | Answer)]
    answer, ladder = (next(b for b in shown if isinstance(b, kind)) for kind in (Answer, Ladder))
    assert SERVICE in answer.text
    assert OUR_DOING[LANGUAGES.index(lang)].search(ladder.rungs[0].label)
