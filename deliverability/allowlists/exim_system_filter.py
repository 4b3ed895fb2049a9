"""Exim system filter, also as WHM includes it: takes the spam marks off one sender's authenticated mail (RFC 8601).

cPanel's own "Email Filters" can only compare the From text, which any forger writes; this is the part of a cPanel
server's filters that can hold more.  Sources: "Exim's interfaces to mail filtering"; docs.cpanel.net, Exim
Configuration Manager, on ``sysfilter/options``.
"""

from deliverability.evidence.plugin import Form, FormKind, Need
from deliverability.evidence.sender_facts import SenderFacts
from deliverability.protocols.allow_exim import conditions
from deliverability.protocols.allow_text import commented, remarks

MARKS = "X-Spam-Flag:X-Spam-Status:X-Spam-Level:X-Spam-Bar:X-Spam-Score:X-Spam"


def _render(facts: SenderFacts) -> bytes:
    rule = f'\nif {conditions(facts)}\nthen\n   headers remove "{MARKS}"\nendif\n'
    return ("# Exim filter\n" + commented(remarks(FORM, facts)) + rule).encode()


FORM = Form(
    id="exim-system-filter",
    title={"en": "Exim system filter, also for WHM (cPanel)", "zh-Hant-TW": "Exim 系統篩選器，也適用於 WHM（cPanel）"},
    kind=FormKind.ADMINISTRATOR,
    authenticated=True,
    run_here=True,
    media_type="text/plain",
    extension="filter",
    render=_render,
    effect={
        "en": "Takes the X-Spam headers off mail from this one address, if this server wrote at the top of it that DMARC passed; filters and routers after it then see no spam mark.",
        "zh-Hant-TW": "只有這個地址、而且本伺服器在信件最上方註明通過 DMARC 的郵件，會移除 X-Spam 標頭；之後的篩選器與路由就看不到垃圾標記。",
    },
    limits={
        "en": "It undoes nothing that happened at SMTP time (a refusal), and other checks of the system filter go on. It relies on the server to write Authentication-Results on every message from outside; Exim does that only where it is configured. WHM itself was not run here.",
        "zh-Hant-TW": "無法挽回 SMTP 階段的拒收，系統篩選器的其他檢查也會繼續。前提是伺服器會為每封外來郵件寫上 Authentication-Results；Exim 必須另外設定才會寫。WHM 本身未在此測試。",
    },
    blast_radius={"en": "every mailbox on the server.", "zh-Hant-TW": "伺服器上的所有信箱。"},
    undo={
        "en": "delete the file; in WHM rebuild the Exim configuration afterwards.",
        "zh-Hant-TW": "刪除此檔案；使用 WHM 時，之後請重建 Exim 設定。",
    },
    instructions={
        "en": (
            "Exim: add these lines to the file that system_filter names; “# Exim filter” is its first line.",
            "WHM: put the file into /usr/local/cpanel/etc/exim/sysfilter/options/ and save the Filters page of the Exim Configuration Manager.",
            "Test it with a message of ours: exim -bF FILTER < MESSAGE",
        ),
        "zh-Hant-TW": (
            "Exim：把這幾行加到 system_filter 指定的檔案；「# Exim filter」必須是第一行。",
            "WHM：把檔案放進 /usr/local/cpanel/etc/exim/sysfilter/options/，再到 Exim Configuration Manager 的 Filters 頁面儲存。",
            "用我們的一封信測試：exim -bF 篩選器 < 郵件",
        ),
    },
    ends_by_itself=True,
    needs=frozenset({Need.AUTHSERV_ID}),
    providers=frozenset({"own-server", "cpanel"}),
    source="https://www.exim.org/exim-html-current/doc/html/spec_html/filter.html",
)
