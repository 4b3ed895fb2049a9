"""Domains that many customers have their mailbox at, and those that give mailboxes away for minutes: facts, no ratings.

Only what decides something is listed.  A domain in :data:`MAILBOX_DOMAINS` is never taken for a slip of the keyboard.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_GLOBAL = """
gmail.com googlemail.com outlook.com hotmail.com live.com msn.com passport.com icloud.com me.com mac.com
yahoo.com ymail.com rocketmail.com myyahoo.com aol.com aim.com gmx.com gmx.net gmx.de gmx.at gmx.ch web.de mail.com
email.com usa.com post.com proton.me protonmail.com protonmail.ch pm.me tutanota.com tutanota.de tuta.com tuta.io
fastmail.com fastmail.fm zoho.com zohomail.com hey.com duck.com mailbox.org posteo.de posteo.net runbox.com
yandex.com yandex.ru ya.ru mail.ru bk.ru inbox.ru list.ru rambler.ru hushmail.com lycos.com inbox.com
comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net optonline.net
btinternet.com sky.com talktalk.net virginmedia.com ntlworld.com orange.fr wanadoo.fr free.fr laposte.net sfr.fr
t-online.de freenet.de libero.it virgilio.it tiscali.it terra.com.br uol.com.br bol.com.br bigpond.com optusnet.com.au
rogers.com shaw.ca telus.net sympatico.ca xtra.co.nz
"""
# Subscribers' mail of Taiwan's access providers, portals and the universities' and government's common domains.
_TAIWAN = """
hinet.net msa.hinet.net ms1.hinet.net seed.net.tw mail.seed.net.tw pchome.com.tw so-net.net.tw so-net.tw yahoo.com.tw
tfn.net.tw giga.net.tw apol.com.tw ethome.com.tw ethome.net.tw kbronet.com.tw kbtelecom.net anet.net.tw sinamail.com
url.com.tw ttn.com.tw xuite.net mail2000.com.tw emome.net fetnet.net taiwanmobile.com aptg.com.tw livemail.tw
hotmail.com.tw
"""
_EAST_ASIA = """
qq.com vip.qq.com foxmail.com 163.com 126.com yeah.net vip.163.com 188.com 139.com 189.cn sina.com sina.cn sohu.com
aliyun.com 21cn.com tom.com wo.cn netvigator.com ctimail.com ctimail3.com hkstar.com biznetvigator.com
naver.com hanmail.net daum.net nate.com kakao.com korea.com
docomo.ne.jp ezweb.ne.jp au.com softbank.ne.jp i.softbank.jp nifty.com biglobe.ne.jp ocn.ne.jp so-net.ne.jp plala.or.jp
rediffmail.com singnet.com.sg starhub.net.sg streamyx.com
"""
_REGIONS: Final = {
    "yahoo": "co.uk co.jp co.in co.id co.kr co.th co.nz co.za ca de es fr gr ie in it nl no pl pt ro se dk fi be at ch "
    "cn com.ar com.au com.br com.cn com.co com.hk com.mx com.my com.ph com.sg com.tr com.vn",
    "hotmail": "co.uk co.jp co.nz co.th co.il ca de es fr gr it nl be ch cl no se fi dk com.ar com.au com.br com.hk "
    "com.mx sg my",
    "live": "co.uk co.jp co.kr co.za ca cl cn de dk fi fr hk ie in it jp nl no ru se be at com.ar com.au com.mx com.my "
    "com.ph com.pt com.sg",
    "outlook": "at be cl cz de dk es fr hu ie in it jp kr lv my ph pt sa sg co.id co.il co.th com.ar com.au com.br com.gr "
    "com.tr com.vn",
    "aol": "co.uk de fr it",
    "zoho": "eu in",
}

MAILBOX_DOMAINS: Final[frozenset[str]] = frozenset(
    [*_GLOBAL.split(), *_TAIWAN.split(), *_EAST_ASIA.split()]
    + [f"{name}.{ending}" for name, endings in _REGIONS.items() for ending in endings.split()]
)
"""Where people have mailboxes, lower-case A-labels.  A domain below one of :data:`PARENTS` counts as well."""

PARENTS: Final[tuple[str, ...]] = ("hinet.net", "seed.net.tw", "so-net.net.tw", "edu.tw", "gov.tw", "qq.com", "163.com")
"""Below these, hosts such as ``ms25.hinet.net`` and the schools' own are mailbox domains too."""

SLIPS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "hinet.com": "hinet.net",
        "hinet.com.tw": "hinet.net",
        "hinet.net.tw": "hinet.net",
        "hinet.tw": "hinet.net",
        "msa.hinet.com": "msa.hinet.net",
        "ms1.hinet.com": "ms1.hinet.net",
        "seednet.com.tw": "seed.net.tw",
        "seed.com.tw": "seed.net.tw",
        "pchome.com": "pchome.com.tw",
        "pchome.net.tw": "pchome.com.tw",
        "gmail.com.tw": "gmail.com",
        "gmail.net": "gmail.com",
        "gmail.tw": "gmail.com",
        "gmial.com": "gmail.com",
        "gamil.com": "gmail.com",
        "gmaill.com": "gmail.com",
        "gnail.com": "gmail.com",
        "gmai.com": "gmail.com",
        "outlook.com.tw": "outlook.com",
        "outlok.com": "outlook.com",
        "hotmial.com": "hotmail.com",
        "hotmai.com": "hotmail.com",
        "homail.com": "hotmail.com",
        "yahoo.com.tv": "yahoo.com.tw",
        "yahoo.tw": "yahoo.com.tw",
        "yaho.com.tw": "yahoo.com.tw",
        "yahooo.com.tw": "yahoo.com.tw",
        "yahho.com.tw": "yahoo.com.tw",
        "icloud.com.tw": "icloud.com",
        "icould.com": "icloud.com",
        "iclod.com": "icloud.com",
        "qq.con": "qq.com",
        "163.con": "163.com",
    }
)
"""What is meant by domains that people are known to write by mistake."""

ENDINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "con": "com", "cmo": "com", "ocm": "com", "comm": "com", "coom": "com", "cpm": "com", "vom": "com", "xom": "com",
        "cim": "com", "conm": "com", "ent": "net", "nte": "net", "nett": "net", "ogr": "org", "orgg": "org", "twn": "tw",
    }
)  # fmt: skip
"""Last labels that are no top-level domain, and what was meant."""

_ROLES = (
    "abuse admin administrator billing contact ftp help helpdesk hostmaster info mailer-daemon marketing news noc office "
    "postmaster root sales security service support sysadmin usenet uucp webmaster www"
)
ROLES: Final[frozenset[str]] = frozenset(_ROLES.split())
"""Local parts that stand for a role: RFC 2142, and those that are as common."""
_UNREAD = "noreply no-reply no_reply donotreply do-not-reply do_not_reply bounce bounces"
UNREAD: Final[frozenset[str]] = frozenset(_UNREAD.split())
"""Local parts that say that nobody reads them."""

DISPOSABLE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "mailinator.com": "https://www.mailinator.com/",
        "guerrillamail.com": "https://www.guerrillamail.com/",
        "guerrillamail.net": "https://www.guerrillamail.com/",
        "guerrillamail.org": "https://www.guerrillamail.com/",
        "guerrillamailblock.com": "https://www.guerrillamail.com/",
        "sharklasers.com": "https://www.guerrillamail.com/",
        "grr.la": "https://www.guerrillamail.com/",
        "yopmail.com": "https://yopmail.com/",
        "yopmail.net": "https://yopmail.com/",
        "yopmail.fr": "https://yopmail.com/",
        "10minutemail.com": "https://10minutemail.com/",
        "trashmail.com": "https://trashmail.com/",
        "maildrop.cc": "https://maildrop.cc/",
        "dispostable.com": "https://www.dispostable.com/",
        "mailnesia.com": "https://mailnesia.com/",
        "mailcatch.com": "https://mailcatch.com/",
        "mytrashmail.com": "https://www.mytrashmail.com/",
        "spamgourmet.com": "https://www.spamgourmet.com/",
        "getairmail.com": "https://getairmail.com/",
        "fakeinbox.com": "https://www.fakeinbox.com/",
        "tempail.com": "https://tempail.com/",
        "throwawaymail.com": "https://www.throwawaymail.com/",
    }
)
"""Domains whose own site offers a mailbox without an account, for a short time, and that site."""
