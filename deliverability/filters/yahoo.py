"""Yahoo and AOL: the old mark ``X-YahooFilteredBulk``, which was seen on mail that was read in the inbox as well.

No header of theirs states a verdict today; what they found of the sender stands in ``Authentication-Results``.
"""

from deliverability.evidence.plugin import Filter, Judgement, Reading, Stamp
from deliverability.evidence.verdict import Finding


def _read(stamps: tuple[Stamp, ...]) -> Reading | None:
    found = next((s.text.strip()[:60] for s in stamps if s.name.lower() == "x-yahoofilteredbulk"), "")
    return Reading(Judgement.NONE, (Finding.of("old-mark", address=found),)) if found else None


FILTER = Filter(
    id="yahoo",
    name={"en": "Yahoo / AOL", "zh-Hant-TW": "Yahoo／AOL"},
    headers=frozenset({"x-yahoofilteredbulk"}),
    read=_read,
    messages={
        "old-mark": {
            "en": "Yahoo’s old mark for bulk mail is there, with the address {address}; alone it says nothing about the folder.",
            "zh-Hant-TW": "有 Yahoo 舊的大量郵件標記（位址 {address}）；單憑它無法判斷資料夾。",
        }
    },
    actors={},
    advice={},
    hosts=("yahoo.com", "yahoodns.net", "aol.com"),
    source="observed on mail of Yahoo; no description by Yahoo was found",
)
