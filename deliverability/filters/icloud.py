"""iCloud Mail: the folder into which Apple's own filter put the message, ``X-Apple-MoveToFolder`` and ``X-Apple-Action``.

Apple describes neither field; copies show ``INBOX`` and ``Junk``.  Its score (``X-ICL-Score``) is explained nowhere and is
not read.
"""

from deliverability.evidence.plugin import Actor, Filter, Judgement, Reading, Stamp
from deliverability.evidence.verdict import Finding


def _read(stamps: tuple[Stamp, ...]) -> Reading | None:
    by_name = {stamp.name.lower(): stamp.text.strip() for stamp in reversed(stamps)}
    folder = by_name.get("x-apple-movetofolder") or by_name.get("x-apple-action", "").rpartition("/")[2]
    if not folder:
        return None
    shown = Finding.of({"junk": "junk", "inbox": "inbox"}.get(folder.lower(), "folder"), folder=folder[:60])
    judgement = {"junk": Judgement.JUNK, "inbox": Judgement.CLEAN}.get(shown.code, Judgement.NONE)
    return Reading(judgement, (shown,))


FILTER = Filter(
    id="icloud",
    name={"en": "iCloud Mail", "zh-Hant-TW": "iCloud 郵件"},
    headers=frozenset({"x-apple-movetofolder", "x-apple-action"}),
    read=_read,
    messages={
        "junk": {
            "en": "iCloud Mail put the message into Junk ({folder}); why, its header does not tell.",
            "zh-Hant-TW": "iCloud 郵件把這封信放進垃圾信匣（{folder}）；標頭沒有說明原因。",
        },
        "inbox": {
            "en": "iCloud Mail put the message into the inbox ({folder}); if it is in Junk, a rule or a mail program moved it.",
            "zh-Hant-TW": "iCloud 郵件把這封信放進收件匣（{folder}）；如果它在垃圾信匣，是規則或郵件程式移過去的。",
        },
        "folder": {
            "en": "iCloud Mail put the message into the folder {folder}.",
            "zh-Hant-TW": "iCloud 郵件把這封信放進「{folder}」資料夾。",
        },
    },
    actors={"junk": Actor.RECIPIENT, "inbox": Actor.RECIPIENT},
    advice={
        "junk": {
            "en": "Open the Junk folder, mark the message as not junk, and add the sender’s whole address to the contacts.",
            "zh-Hant-TW": "請打開垃圾郵件匣，把這封信標為非垃圾郵件，並將寄件者的完整地址加入聯絡資訊。",
        },
        "inbox": {
            "en": "Look for a rule of the mailbox, and for the mail program’s own junk filter.",
            "zh-Hant-TW": "請檢查信箱的規則，以及郵件程式自己的垃圾信過濾。",
        },
    },
    hosts=("icloud.com", "me.com", "mac.com"),
    source="observed on mail of iCloud; no description by Apple was found",
)
