"""Exim user filter (``.forward``): one From address, and only where the own server wrote that DMARC passed (RFC 8601).

Source: "Exim's interfaces to mail filtering", Exim 4.96.
"""

from deliverability.evidence.plugin import Form, FormKind, Need
from deliverability.evidence.sender_facts import SenderFacts
from deliverability.protocols.allow_exim import conditions
from deliverability.protocols.allow_text import commented, remarks


def _render(facts: SenderFacts) -> bytes:
    rule = f"\nif {conditions(facts)}\nthen\n   finish\nendif\n"
    return ("# Exim filter\n" + commented(remarks(FORM, facts)) + rule).encode()


FORM = Form(
    id="exim-user-filter",
    title={"en": "Exim user filter (.forward)", "zh-Hant-TW": "Exim 使用者篩選器（.forward）"},
    kind=FormKind.END_USER,
    authenticated=True,
    run_here=True,
    media_type="text/plain",
    extension="filter",
    render=_render,
    effect={
        "en": "Mail from this one address leaves the filter here and is delivered as usual, if your own mail server wrote at the top of it that DMARC passed.",
        "zh-Hant-TW": "只有這個地址、而且您自己的郵件伺服器在信件最上方註明通過 DMARC 的郵件，會在此離開篩選器，照常投遞。",
    },
    limits={
        "en": "It helps no mail that the server refuses or files as junk outside this filter. It relies on your server to write that line on every message from outside, or to remove lines that claim to be its own (RFC 8601, section 5).",
        "zh-Hant-TW": "伺服器已拒收、或在此篩選器之外歸為垃圾的郵件不適用。前提是您的伺服器會為每封外來郵件寫上這一行，或移除冒充它的行（RFC 8601 第 5 節）。",
    },
    blast_radius={"en": "this one mailbox.", "zh-Hant-TW": "只有這一個信箱。"},
    undo={"en": "delete these lines from the filter.", "zh-Hant-TW": "從篩選器刪除這幾行。"},
    instructions={
        "en": (
            "Put these lines at the top of your filter, above every rule that saves mail to junk; “# Exim filter” stays its first line.",
            "Test it with a message of ours: exim -bf FILTER < MESSAGE",
        ),
        "zh-Hant-TW": (
            "把這幾行放在篩選器最上面、所有存到垃圾郵件的規則之前；「# Exim filter」必須是第一行。",
            "用我們的一封信測試：exim -bf 篩選器 < 郵件",
        ),
    },
    ends_by_itself=True,
    needs=frozenset({Need.AUTHSERV_ID}),
    providers=frozenset({"own-server"}),
    source="https://www.exim.org/exim-html-current/doc/html/spec_html/filter.html",
)
