"""Steps that several mailbox providers share, and a short way to write them down.

What is said here without a source is the usual way of mail programs, and is marked so (``Certainty.GENERAL``).
"""

from deliverability.evidence.plugin import Certainty, Steps, Surface

USUAL = "the usual way of mail programs; no page of the provider was at hand"
QUARANTINE = {
    "en": "Mail that is held there never reached the mailbox: searching the inbox or the junk folder does not find it.",
    "zh-Hant-TW": "留在隔離區的信還沒有進到信箱，在收件匣或垃圾郵件裡都找不到。",
}
ASK_IT = {
    "en": "Your IT department can look into the quarantine and has the last word on what may pass.",
    "zh-Hant-TW": "貴單位的資訊人員可以查看隔離區，哪些信可以通過由他們決定。",
}
DIGEST_IS_PERSONAL = {
    "en": "The links in a quarantine notice act for whoever clicks them: do not forward the notice, not even to us.",
    "zh-Hant-TW": "隔離通知裡的連結，誰按了都有效：請勿轉寄通知信，也不要寄給我們。",
}


def told(surface: Surface, source: str, *lines: tuple[str, str], certainty: Certainty = Certainty.SECONDARY) -> Steps:
    """Steps on one surface, each in English and in Traditional Chinese."""
    steps = {"en": tuple(en for en, _ in lines), "zh-Hant-TW": tuple(zh for _, zh in lines)}
    return Steps(surface=surface, steps=steps, certainty=certainty, source=source)


def look_on_phone(folder: tuple[str, str]) -> Steps:
    """Find the message in a phone's mail app, where nobody knows its buttons; ``folder`` in both languages."""
    return told(
        Surface.PHONE_APP,
        USUAL,
        ("Open your mail app and its list of folders.", "打開收信的應用程式，顯示資料夾清單。"),
        (f"Open the folder for junk, {folder[0]}.", f"打開放垃圾信的資料夾：{folder[1]}。"),
        ("Look for our message; its sender is {address}.", "尋找我們的信，寄件者是 {address}。"),
        ("Mark it as not junk, or move it to the inbox.", "把它標為不是垃圾郵件，或移到收件匣。"),
        certainty=Certainty.GENERAL,
    )


def look_in_browser(surface: Surface, folder: tuple[str, str]) -> Steps:
    """The same in the webmail."""
    return told(
        surface,
        USUAL,
        ("Open your provider’s webmail and sign in.", "打開信箱業者的網頁信箱並登入。"),
        (f"Open the folder for junk, {folder[0]}.", f"打開放垃圾信的資料夾：{folder[1]}。"),
        ("Look for our message; its sender is {address}.", "尋找我們的信，寄件者是 {address}。"),
        ("Mark it as not junk, or move it to the inbox.", "把它標為不是垃圾郵件，或移到收件匣。"),
        certainty=Certainty.GENERAL,
    )


def add_to_contacts(surface: Surface = Surface.PHONE_APP) -> Steps:
    """Keep the next one by the address book: helps at some providers, harms at none."""
    return told(
        surface,
        USUAL,
        ("Open our message.", "打開我們的信。"),
        ("Check that its sender is {address}.", "確認寄件者是 {address}。"),
        ("Add this address to your contacts or address book.", "把這個地址加入聯絡人或通訊錄。"),
        certainty=Certainty.GENERAL,
    )


def look_for_notice(surface: Surface = Surface.PHONE_APP) -> Steps:
    """Find the message by the notice that a quarantine sends, where nobody knows its buttons."""
    return told(
        surface,
        "the usual way of mail quarantines; no page of the maker was at hand",
        ("Search your inbox for a notice about held or quarantined mail.", "在收件匣搜尋「隔離」或「攔截」的通知信。"),
        (
            "In that notice look for our message; its sender is {address}.",
            "在通知信裡尋找我們的信，寄件者是 {address}。",
        ),
        ("Choose to release or deliver it.", "選擇放行或送出這封信。"),
        (
            "If there is no such notice, ask your IT department to look for mail from {address}.",
            "如果沒有通知信，請資訊人員查詢 {address} 寄來的信。",
        ),
        certainty=Certainty.GENERAL,
    )


def ask_it_to_allow(surface: Surface = Surface.PHONE_APP) -> Steps:
    """Keep the next one where only an administrator, or a page that differs from firm to firm, can."""
    return told(
        surface,
        "the usual way of mail quarantines; no page of the maker was at hand",
        ("Send this page to your IT department.", "把這份說明交給貴單位的資訊人員。"),
        ("Ask them to let mail from {address} pass.", "請他們讓 {address} 的來信通過。"),
        (
            "Ask them to require that the sender is authenticated as well.",
            "並請他們同時要求寄件者必須通過身分驗證。",
        ),
        certainty=Certainty.GENERAL,
    )
