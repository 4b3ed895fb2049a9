"""The parts of the message can be found: its MIME structure is whole, and not nested without end.

RFC 2045 §4, §5 and §6, RFC 2046 §5.1; §4.1.2 (the charset of a text has to be a known one).  Whether an HTML message
brings a plain text along is told as a fact.
"""

from typing import TYPE_CHECKING

from deliverability.errors import printable
from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import structure

if TYPE_CHECKING:
    from deliverability.protocols.mime import Part, Structure


def _evaluate(evidence: Evidence) -> Ruling:
    mail = structure.message_of(evidence)
    if isinstance(mail, Ruling):
        return mail
    from deliverability.protocols.mime import MAX_DEPTH, MAX_PARTS, MAX_SEARCHED, badly_encoded, read_structure

    found = read_structure(mail)
    facts = (Finding.of(_text_fact(found)),)
    if found.defects:
        # A rule that was broken says more than a limit of ours that was reached.
        defect, part = min(found.defects, key=lambda known: known[0].ours)
        told = {
            "part": printable(part, 80) or "-",
            "depth": MAX_DEPTH,
            "parts": MAX_PARTS,
            "searched": MAX_SEARCHED >> 20,
        }
        if defect.ours and (strange := _of_unknown_charset(found)):
            return _charset(strange, facts)
        outcome = Outcome.INDETERMINATE if defect.ours else Outcome.FAIL
        reached = {one for one, _ in found.defects if one.ours and one is not defect}
        limits = tuple(Finding.of(one.value, **told) for one in sorted(reached))
        return Ruling(outcome, Finding.of(defect.value, **told), details=(*limits, *facts))
    strange = _of_unknown_charset(found)
    if strange:
        return _charset(strange, facts)
    broken = next((part for part in found.leaves if badly_encoded(found, part)), None)
    if broken:
        told = {"part": broken.number or "1", "encoding": broken.encoding}
        return Ruling(Outcome.FAIL, Finding.of("broken-encoding", **told), details=facts)
    return Ruling(Outcome.PASS, Finding.of("readable", count=len(found.leaves)), details=facts)


def _of_unknown_charset(found: "Structure") -> "Part | None":
    """The first text whose charset no reader is likely to know."""
    from deliverability.protocols.mime import codec_of

    texts = (part for part in found.leaves if part.media_type.startswith("text/"))
    return next((part for part in texts if part.charset and codec_of(part.charset) is None), None)


def _charset(part: "Part", facts: tuple[Finding, ...]) -> Ruling:
    told = {"part": part.number or "1", "charset": printable(part.charset or "", 80)}
    return Ruling(Outcome.FAIL, Finding.of("unknown-charset", **told), details=facts)


def _text_fact(found: "Structure") -> str:
    kinds = {part.media_type for part in found.leaves if part.disposition != "attachment"}
    if "text/html" in kinds:
        return "html-and-text" if "text/plain" in kinds else "html-only"
    return "text-only" if "text/plain" in kinds else "no-text"


CHECK = Check(
    id="mime-readable",
    subjects=frozenset({Subject.MESSAGE}),
    citation="RFC 2045 §4, RFC 2046 §5.1",
    title={"en": "The parts of the message are whole", "zh-Hant-TW": "郵件的各部分完整可讀"},
    evaluate=_evaluate,
    messages={
        "readable": {
            "en": "The MIME structure is whole; parts with content: {count}.",
            "zh-Hant-TW": "MIME 結構完整，內容部分共 {count} 個。",
        },
        "html-and-text": {
            "en": "It has HTML and a plain text beside it.",
            "zh-Hant-TW": "有 HTML，並附純文字版本。",
        },
        "html-only": {
            "en": "It has HTML and no plain text: some readers and phones show less of it.",
            "zh-Hant-TW": "只有 HTML，沒有純文字版本；部分軟體與手機顯示的內容會較少。",
        },
        "text-only": {"en": "It is plain text.", "zh-Hant-TW": "內容是純文字。"},
        "no-text": {
            "en": "It has no text to show, only attachments or other media.",
            "zh-Hant-TW": "沒有可顯示的文字，只有附件或其他媒體。",
        },
        "no-mime-version": {
            "en": "The message uses MIME but lacks MIME-Version: 1.0.",
            "zh-Hant-TW": "郵件使用 MIME，但缺少 MIME-Version: 1.0 標頭。",
        },
        "malformed-content-type": {
            "en": "The Content-Type of part {part} cannot be read; it counts as plain text.",
            "zh-Hant-TW": "無法解讀第 {part} 部分的 Content-Type，會被當作純文字。",
        },
        "no-boundary": {
            "en": "The multipart {part} names no usable boundary, so its parts cannot be found.",
            "zh-Hant-TW": "multipart（{part}）沒有可用的 boundary，無法找出其中各部分。",
        },
        "no-parts": {
            "en": "The boundary of the multipart {part} never stands in it.",
            "zh-Hant-TW": "multipart（{part}）的內容中找不到所宣告的 boundary。",
        },
        "unclosed": {
            "en": "The multipart {part} has no end: the message looks cut off.",
            "zh-Hant-TW": "multipart（{part}）沒有結尾，郵件看起來被截斷。",
        },
        "encoded-multipart": {
            "en": "The multipart {part} is declared as base64 or quoted-printable, which is not allowed.",
            "zh-Hant-TW": "multipart（{part}）標為 base64 或 quoted-printable，這是不允許的。",
        },
        "unknown-encoding": {
            "en": "The Content-Transfer-Encoding of part {part} is none that receivers know.",
            "zh-Hant-TW": "第 {part} 部分的 Content-Transfer-Encoding 不是收件方認得的編碼。",
        },
        "repeated-mime-field": {
            "en": "{part} stands more than once in the header: programs differ in which one they take, and some refuse the message.",
            "zh-Hant-TW": "標頭中 {part} 出現不只一次：各軟體採用的不一定相同，有些會拒收。",
        },
        "broken-encoding": {
            "en": "Part {part} says that it is {encoding}, and holds something else: readers will see garbage, or lose a part of it.",
            "zh-Hant-TW": "第 {part} 部分標示為 {encoding}，內容卻不是；看到的可能是亂碼或不完整。",
        },
        "unknown-charset": {
            "en": "The text of part {part} names a charset that mail programs do not know, {charset}; its letters will be guessed at. Write it in UTF-8 and say so.",
            "zh-Hant-TW": "第 {part} 部分的文字標示了郵件軟體不認得的字元集 {charset}，內容可能變成亂碼。請改用 UTF-8 並正確標明。",
        },
        "too-deep": {
            "en": "Parts are nested more than {depth} deep, or so deep and large that finding them takes more than {searched} MiB of reading; it was not read further, and many receivers will not either. Send forwarded mail as one attached file, and check again.",
            "zh-Hant-TW": "各部分巢狀超過 {depth} 層，或巢狀與大小合計需讀取超過 {searched} MiB，因此沒有繼續讀取；許多收件方也不會。請將轉寄的郵件改為單一附件，再檢查一次。",
        },
        "too-many-parts": {
            "en": "There are more than {parts} parts; it was not read further, and many receivers will not either. Send fewer files, or one archive, and check again.",
            "zh-Hant-TW": "超過 {parts} 個部分，因此沒有繼續讀取；許多收件方也不會。請減少附件，或壓縮成一個檔案，再檢查一次。",
        },
        "need-message": structure.NEED_MESSAGE,
        **structure.NOT_READ,
    },
)
