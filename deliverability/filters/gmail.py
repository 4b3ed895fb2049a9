"""Gmail, which writes its reason into no header: it shows a line above the message, and the reader picks it from a list.

The lines are those that descriptions since 2012 quote; Google words them anew from time to time.
"""

from deliverability.evidence.plugin import Actor, Filter, Reading, Stamp


def _read(_stamps: tuple[Stamp, ...]) -> Reading | None:
    return None


_NOT_SPAM = {
    "en": "Press “Report not spam” above the message; a filter with “Never send it to Spam” keeps the next ones.",
    "zh-Hant-TW": "按信件上方的「回報為非垃圾郵件」；另建立篩選器並勾選「永不傳送到垃圾郵件」，之後的信就不會再進去。",
}
_DO_NOT = {
    "en": "Do not click links and do not put the sender on a list before it has confirmed the message by another way. The sender repairs SPF, DKIM and DMARC.",
    "zh-Hant-TW": "在寄件者以其他方式確認之前，請勿點連結，也不要加入名單。寄件者需修正 SPF、DKIM 與 DMARC。",
}

FILTER = Filter(
    id="gmail",
    name={"en": "Gmail", "zh-Hant-TW": "Gmail"},
    headers=frozenset({"x-gm-spam", "x-gm-phishy"}),
    read=_read,
    messages={
        "similar": {
            "en": "Gmail finds the message similar to others that its filters took for spam.",
            "zh-Hant-TW": "Gmail 認為這封信與先前歸類為垃圾郵件的郵件相似。",
        },
        "many-reported": {
            "en": "Many readers reported similar messages, or mail of this sender, as spam.",
            "zh-Hant-TW": "許多人把類似的信或這個寄件者的信回報為垃圾郵件。",
        },
        "you-reported": {
            "en": "The reader reported this message, or earlier mail of this sender, as spam.",
            "zh-Hant-TW": "收件者曾把這封信或這個寄件者的信回報為垃圾郵件。",
        },
        "blocked": {
            "en": "The reader or the organization’s administrator blocked the sender.",
            "zh-Hant-TW": "收件者或單位的管理者封鎖了寄件者。",
        },
        "admin-rule": {
            "en": "A rule that the organization’s administrator made put the message into Spam.",
            "zh-Hant-TW": "單位管理者設定的規則把這封信放進垃圾郵件。",
        },
        "authentication": {
            "en": "Gmail could not confirm that the message really comes from its sender’s domain.",
            "zh-Hant-TW": "Gmail 無法確認這封信真的來自寄件者的網域。",
        },
        "phishing": {
            "en": "Gmail takes the message for dangerous: similar ones stole personal information.",
            "zh-Hant-TW": "Gmail 認為這封信有危險，類似的信曾被用來騙取個人資料。",
        },
        "content": {
            "en": "Gmail finds content that spam often has, or a message that is empty.",
            "zh-Hant-TW": "Gmail 認為內容常見於垃圾郵件，或信件是空白的。",
        },
        "language": {
            "en": "The message is in another language than the reader’s mail usually is.",
            "zh-Hant-TW": "信件使用的語言與收件者平常的郵件不同。",
        },
    },
    actors={
        "similar": Actor.RECIPIENT,
        "many-reported": Actor.SENDER,
        "you-reported": Actor.RECIPIENT,
        "blocked": Actor.RECIPIENT,
        "admin-rule": Actor.RECIPIENT,
        "authentication": Actor.SENDER,
        "phishing": Actor.SENDER,
        "content": Actor.SENDER,
        "language": Actor.RECIPIENT,
    },
    advice={
        "similar": _NOT_SPAM,
        "many-reported": {
            "en": "The sender finds out which of its mail is reported, and lets people unsubscribe; the reader presses “Report not spam”.",
            "zh-Hant-TW": "寄件者需查明哪些信被檢舉並提供退訂；收件者可按「回報為非垃圾郵件」。",
        },
        "you-reported": _NOT_SPAM,
        "blocked": {
            "en": "Open the message, the menu (three dots), and choose to unblock the sender; at a company ask the administrator.",
            "zh-Hant-TW": "打開信件的選單（三個點），選擇解除封鎖寄件者；公司信箱請詢問管理者。",
        },
        "admin-rule": {
            "en": "Ask the organization’s administrator to let this sender through.",
            "zh-Hant-TW": "請單位的管理者讓這個寄件者通過。",
        },
        "authentication": _DO_NOT,
        "phishing": _DO_NOT,
        "content": {
            "en": "The sender writes a clear subject and text and checks its links; the reader presses “Report not spam”.",
            "zh-Hant-TW": "寄件者需寫清楚主旨與內文並檢查連結；收件者可按「回報為非垃圾郵件」。",
        },
        "language": _NOT_SPAM,
    },
    banners={
        "similar": {
            "en": "It’s similar to messages that were identified as spam in the past",
            "zh-Hant-TW": "與先前歸類為垃圾郵件的郵件相似",
        },
        "many-reported": {
            "en": "Many people marked similar messages as spam; lots of messages from this sender are spam",
            "zh-Hant-TW": "許多人把類似郵件標示為垃圾郵件",
        },
        "you-reported": {
            "en": "You previously marked messages from this sender as spam; you reported this message as spam",
            "zh-Hant-TW": "您曾把這個寄件者的郵件回報為垃圾郵件",
        },
        "blocked": {"en": "You blocked this sender", "zh-Hant-TW": "您已封鎖這個寄件者"},
        "admin-rule": {
            "en": "Your administrator’s policy moved it here",
            "zh-Hant-TW": "貴單位管理者的政策把它移到這裡",
        },
        "authentication": {
            "en": "Gmail could not verify that it actually came from the sender; it failed the domain’s required tests for authentication",
            "zh-Hant-TW": "無法驗證這封郵件是否真的來自該寄件者",
        },
        "phishing": {
            "en": "This message seems dangerous; similar messages were used to steal personal information",
            "zh-Hant-TW": "這封郵件似乎有危險；類似郵件曾用來竊取個人資訊",
        },
        "content": {
            "en": "It contains content that is typically used in spam messages; it is empty",
            "zh-Hant-TW": "含有垃圾郵件常見的內容，或內容空白",
        },
        "language": {
            "en": "It’s written in a different language than your messages typically use",
            "zh-Hant-TW": "使用的語言與您平常的郵件不同",
        },
    },
    hosts=("google.com", "googlemail.com"),
    source="http://msoftnews.com/google/why-gmail-messages-are-marked-as-spam/",
)
