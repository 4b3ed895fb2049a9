"""Gmail, for private persons.

The list is a filter on the From text alone: it lets a forger in wherever the sender's domain does not
forbid that, so ``compose`` offers it only for senders whose domain does.

On 2026-11-22 no copy of Google's own help on spam and filters was found in either language, only others' descriptions: the
Chinese label of "Never send it to Spam" and the operator ``rfc822msgid`` are not confirmed by a page of Google's.  The way
through the phone app (three lines, Spam, three dots) stands in a Japanese description with pictures; of the app's contacts
no description was found.
"""

from datetime import date

from deliverability.evidence.plugin import Certainty, Provider, ProviderKind, SenderRule, Steps, Surface
from deliverability.protocols.replies_google import REPLIES
from deliverability.protocols.sender_rules import FORMAT

_SPAM_HELP = "https://its.wbschools.org/its-blog/gmail-tip-spam"
_IN_THE_APP = "http://johokankyo.com/cloud/mail/smartphone_spam/"
_FILTERS = "https://developers.google.cn/gmail/api/guides/filter_settings?hl=zh-tw"
# Held on 2026-11-22 against others that quote the page from this address; itself not at hand.
_RULES = "https://support.google.com/mail/answer/81126"
_RULES_SINCE = date(2024, 2, 1)

PROVIDER = Provider(
    id="gmail",
    name={"en": "Gmail", "zh-Hant-TW": "Gmail"},
    kind=ProviderKind.CONSUMER,
    domains=frozenset({"gmail.com", "googlemail.com"}),
    mx_suffixes=("google.com", "googlemail.com"),
    junk_folder={"en": "Spam", "zh-Hant-TW": "垃圾郵件"},
    search={
        "en": "in:anywhere rfc822msgid:{message_id}",
        "zh-Hant-TW": "in:anywhere rfc822msgid:{message_id}",
    },
    find=(
        Steps(
            surface=Surface.PHONE_APP,
            steps={
                "en": (
                    "Open the Gmail app.",
                    "Tap the menu (three lines) at the top left.",
                    "Tap “Spam”.",
                    "Open our message; its sender is {address}.",
                    "Tap the three dots at the top right, then “Report not spam”.",
                ),
                "zh-Hant-TW": (
                    "打開 Gmail 應用程式。",
                    "點一下左上角的選單（三條線）。",
                    "點一下「垃圾郵件」。",
                    "打開我們的信，寄件者是 {address}。",
                    "點一下右上角的三個點，再點「回報為非垃圾郵件」。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_IN_THE_APP,
        ),
        Steps(
            surface=Surface.COMPUTER,
            steps={
                "en": (
                    "Open mail.google.com.",
                    "Click “Spam” in the left column; if it is not there, click “More” first.",
                    "Open our message; its sender is {address}.",
                    "Click “Not spam” above the message.",
                ),
                "zh-Hant-TW": (
                    "打開 mail.google.com。",
                    "按左側的「垃圾郵件」；沒看到時，先按「更多」。",
                    "打開我們的信，寄件者是 {address}。",
                    "按信件上方的「非垃圾郵件」或「回報為非垃圾郵件」。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_SPAM_HELP,
        ),
    ),
    keep=(
        Steps(
            surface=Surface.PHONE_APP,
            steps={
                "en": (
                    "Open our message in the Gmail app.",
                    "Tap the round picture next to the sender’s name.",
                    "Check that the address is {address}.",
                    "Add it to your contacts.",
                ),
                "zh-Hant-TW": (
                    "在 Gmail 應用程式打開我們的信。",
                    "點一下寄件者名稱旁的圓形頭像。",
                    "確認地址是 {address}。",
                    "把它加入聯絡人。",
                ),
            },
            certainty=Certainty.GENERAL,
            source="the usual way of mail apps; that a contact helps stands in Google's help, as others quote it",
        ),
        Steps(
            surface=Surface.COMPUTER,
            steps={
                "en": (
                    "Click the gear, then “See all settings”.",
                    "Open “Filters and Blocked Addresses” and click “Create a new filter”.",
                    "Type {address} in the “From” box.",
                    "Click “Create filter”.",
                    "Tick “Never send it to Spam” and click “Create filter” again.",
                ),
                "zh-Hant-TW": (
                    "按齒輪圖示，再按「查看所有設定」。",
                    "打開「篩選器和封鎖的地址」，按「建立新篩選器」。",
                    "在「寄件者」欄輸入 {address}。",
                    "按「建立篩選器」。",
                    "勾選「永不傳送到垃圾郵件」（畫面文字可能略有不同），再按一次「建立篩選器」。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_FILTERS,
        ),
    ),
    # A Japanese university's manual and https://www.appsupport.jp/gmail/mail-spam/ name the same 30 days.
    junk_days=30,
    list_checks_authentication=False,
    caveats=(
        {
            "en": "A contact helps, but mail that Gmail is sure is spam still goes to Spam.",
            "zh-Hant-TW": "加入聯絡人有幫助，但 Gmail 很確定是垃圾的信仍會放進「垃圾郵件」。",
        },
        {
            "en": "The Gmail app cannot make filters; that step needs a computer.",
            "zh-Hant-TW": "Gmail 應用程式無法建立篩選器，這一步需要電腦。",
        },
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://mail.google.com/",
    rules=(
        SenderRule(
            id="spf-or-dkim",
            text={
                "en": "Gmail wants every message to pass SPF or DKIM.",
                "zh-Hant-TW": "Gmail 要求每封郵件通過 SPF 或 DKIM。",
            },
            any_of=("spf-pass", "dkim-pass"),
            effective=_RULES_SINCE,
            smtp_codes=("5.7.26",),
            source=_RULES,
        ),
        SenderRule(
            id="dkim-key",
            text={
                "en": "Gmail counts a DKIM signature only if its RSA key has 1024 bits or more, and advises 2048.",
                "zh-Hant-TW": "Gmail 只採計 1024 位元以上 RSA 金鑰的 DKIM 簽章，並建議使用 2048 位元。",
            },
            all_of=("dkim-key-published",),
            # That a key is missing or revoked breaks no rule of its own: SPF may pass instead.
            broken_by=frozenset({"weak-key"}),
            effective=_RULES_SINCE,
            source=_RULES,
        ),
        SenderRule(
            id="no-impersonation",
            text={
                "en": "Gmail wants nobody but Gmail to send with a gmail.com From: other mail fails DMARC and may be treated as spam (quarantine).",
                "zh-Hant-TW": "Gmail 不允許從其他地方以 gmail.com 為寄件者（From）寄信：這種郵件無法通過 DMARC，可能被當作垃圾郵件（quarantine）。",
            },
            all_of=("dmarc-pass",),
            author_domains=frozenset({"gmail.com", "googlemail.com"}),
            effective=_RULES_SINCE,
            source=_RULES,
        ),
        SenderRule(
            id="reverse-dns",
            text={
                "en": "Gmail wants the sending address to have a name (PTR) that leads back to it.",
                "zh-Hant-TW": "Gmail 要求寄送的 IP 位址有反解名稱（PTR），且該名稱指回同一位址。",
            },
            all_of=("iprev-confirmed",),
            effective=_RULES_SINCE,
            smtp_codes=(
                "4.7.23",
                "5.7.25",
            ),
            source=_RULES,
        ),
        SenderRule(
            id="message-format",
            text={
                "en": "Gmail wants messages to follow RFC 5322.",
                "zh-Hant-TW": "Gmail 要求郵件符合 RFC 5322 的格式。",
            },
            all_of=FORMAT,
            effective=_RULES_SINCE,
            source=_RULES,
        ),
        SenderRule(
            id="tls",
            text={
                "en": "Gmail wants mail to be transferred over TLS.",
                "zh-Hant-TW": "Gmail 要求以 TLS 加密連線傳送郵件。",
            },
            visible=False,
            effective=_RULES_SINCE,
            smtp_codes=(
                "4.7.29",
                "5.7.29",
            ),
            source=_RULES,
        ),
        SenderRule(
            id="spam-rate",
            text={
                "en": "Gmail wants fewer than 0.30 % of a sender's messages reported as spam.",
                "zh-Hant-TW": "Gmail 要求被檢舉為垃圾郵件的比例低於 0.30%。",
            },
            visible=False,
            effective=_RULES_SINCE,
            smtp_codes=("5.7.28",),
            source=_RULES,
        ),
        SenderRule(
            id="spf-and-dkim",
            text={
                "en": "Gmail wants senders of 5,000 messages a day or more to Gmail to pass both SPF and DKIM.",
                "zh-Hant-TW": "Gmail 要求每天寄到 Gmail 5,000 封以上的寄件者同時通過 SPF 與 DKIM。",
            },
            all_of=("spf-pass", "dkim-pass"),
            bulk_only=True,
            effective=_RULES_SINCE,
            smtp_codes=(
                "4.7.27",
                "5.7.27",
                "4.7.30",
                "5.7.30",
            ),
            source=_RULES,
        ),
        SenderRule(
            id="dmarc-record",
            text={
                "en": "Gmail wants the From domain of such senders to publish DMARC, at least p=none.",
                "zh-Hant-TW": "Gmail 要求這類寄件者的 From 網域公布 DMARC（至少 p=none）。",
            },
            all_of=("dmarc-published",),
            bulk_only=True,
            effective=_RULES_SINCE,
            smtp_codes=(
                "4.7.31",
                "4.7.40",
                "5.7.40",
            ),
            source=_RULES,
        ),
        SenderRule(
            id="alignment",
            text={
                "en": "Gmail wants the From domain of such senders to match the domain that SPF or DKIM passed for.",
                "zh-Hant-TW": "Gmail 要求這類寄件者的 From 網域與通過 SPF 或 DKIM 的網域一致。",
            },
            all_of=("dmarc-pass",),
            bulk_only=True,
            effective=_RULES_SINCE,
            smtp_codes=(
                "4.7.32",
                "5.7.32",
            ),
            source=_RULES,
        ),
        SenderRule(
            id="one-click",
            text={
                "en": "Gmail wants subscribed mail of such senders to offer one-click unsubscription, honoured within 48 hours.",
                "zh-Hant-TW": "Gmail 要求這類寄件者的訂閱郵件提供一鍵取消訂閱，並在 48 小時內生效。",
            },
            all_of=("one-click-unsubscribe",),
            bulk_only=True,
            effective=date(2024, 6, 1),
            source=_RULES,
        ),
        SenderRule(
            id="spam-rate-bulk",
            text={
                "en": "Gmail wants such senders to stay below 0.10 % of messages reported as spam.",
                "zh-Hant-TW": "Gmail 要求這類寄件者被檢舉為垃圾郵件的比例低於 0.10%。",
            },
            bulk_only=True,
            visible=False,
            effective=_RULES_SINCE,
            source=_RULES,
        ),
    ),
    replies=REPLIES,
)
