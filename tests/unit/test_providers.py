from datetime import UTC, datetime
from ipaddress import ip_network

import pytest

from deliverability.compose.recognise import is_own, matches, provider_id, providers, recognise
from deliverability.evidence.bundle import Evidence, Own, Subject
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import (
    CouldNotLook,
    DnsAnswer,
    DnsQuestion,
    Observations,
    Obstacle,
    Rcode,
    Record,
)
from deliverability.evidence.smtp import Host

KNOWN = providers()
OWN = Own(hosts=frozenset({"web1.host.example"}), networks=(ip_network("203.0.113.0/24"), ip_network("2001:db8::/32")))
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def found(domain, *mx, own=OWN, relay=None, known=KNOWN):
    return recognise(Domain.parse(domain), mx, own, known, relay).id


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("gmail.com", "gmail"),
        ("GMail.com", "gmail"),
        ("hotmail.com", "outlook-com"),
        ("hotmail.com.tw", "outlook-com"),
        ("yahoo.com.tw", "yahoo-tw"),
        ("kimo.com", "yahoo-tw"),
        ("yahoo.com", "yahoo"),
        ("me.com", "icloud"),
        ("hinet.net", "hinet"),
        ("ms12.hinet.net", "hinet"),
        ("proton.me", "proton"),
        ("mail2000.com.tw", "mail2000"),
        ("aol.com", "aol"),
        ("vip.163.com", "netease"),
        ("ms1.seed.net.tw", "seednet"),
        ("yahoo.co.jp", "yahoo-jp"),
        ("ezweb.ne.jp", "jp-carriers"),
        ("email.cz", "seznam"),
        ("shop.example", "generic"),
    ],
)
def test_by_domain(domain, expected):
    assert found(domain) == expected


@pytest.mark.parametrize("domain", ["notgmail.com", "gmail.com.evil.example", "evilhinet.net", "sub.gmail.com", "net"])
def test_a_domain_that_only_looks_alike_is_generic(domain):
    assert found(domain) == "generic"


@pytest.mark.parametrize(
    ("mx", "expected"),
    [
        ("aspmx.l.google.com", "google-workspace"),
        ("ASPMX.L.GOOGLE.COM.", "google-workspace"),
        ("google.com", "google-workspace"),
        ("shop-example.mail.protection.outlook.com", "microsoft-365"),
        ("hotmail-com.olc.protection.outlook.com", "outlook-com"),
        ("shop-example.b-v1.mx.microsoft", "microsoft-365"),
        ("mta5.am0.yahoodns.net", "yahoo"),
        ("mx01.mail.icloud.com", "icloud"),
        ("mx1.mailcloud.com.tw", "mail2000"),
        ("mx-aol.mail.gm0.yahoodns.net", "aol"),
        ("mta6.am0.yahoodns.net", "yahoo"),
        ("mx01.gmx.net", "gmx"),
        ("mxbiz1.qq.com", "qq"),
        ("163mx01.mxmail.netease.com", "netease"),
        ("mx1.emailsrvr.com", "rackspace"),
        ("mx.zoho.eu", "zoho"),
        ("in1-smtp.messagingengine.com", "fastmail"),
        ("mx1-us1.ppe-hosted.com", "proofpoint"),
        ("us-smtp-inbound-1.mimecast.com", "mimecast"),
        ("d1.ess.barracudanetworks.com", "barracuda"),
        ("mx1.shop.iphmx.com", "cisco-esa"),
    ],
)
def test_by_mx(mx, expected):
    assert found("shop.example", mx) == expected


@pytest.mark.parametrize(
    "mx",
    [
        "evilgoogle.com",
        "aspmx.l.google.com.evil.example",
        "mail-protection.outlook.com.evil.example",
        "xmail.protection.outlook.com",
        "notyahoodns.net",
        "",
        ".",
    ],
)
def test_an_mx_that_only_looks_alike_is_generic(mx):
    assert found("shop.example", mx) == "generic"


def test_the_domain_is_surer_than_the_mx():
    assert found("gmail.com", "mx.elsewhere.example") == "gmail"
    assert found("yahoo.com.tw", "mta7.am0.yahoodns.net") == "yahoo-tw"


def test_a_mailbox_is_surer_than_a_gateway_before_it():
    """A domain whose MX names both keeps its mail with the one that has mailboxes."""
    assert found("shop.example", "mx1.ppe-hosted.com", "shop-example.mail.protection.outlook.com") == "microsoft-365"
    assert found("gmail.com", "us-smtp-inbound-1.mimecast.com") == "gmail"


def test_the_first_mx_that_is_known_decides():
    assert (
        found("shop.example", "mx.elsewhere.example", "aspmx.l.google.com", "x.mail.icloud.com") == "google-workspace"
    )


@pytest.mark.parametrize("domain", ["shop.example", "gmail.com"])
def test_our_own_mx_comes_before_everything(domain):
    assert found(domain, "web1.host.example") == "own-server"
    assert found(domain, "WEB1.Host.Example.") == "own-server"
    assert found(domain, "203.0.113.9") == "own-server"
    assert found(domain, relay=Host(None, "2001:db8::25")) == "own-server"
    assert found(domain, relay=Host("web1.host.example", None)) == "own-server"


def test_a_host_below_ours_or_a_strange_relay_is_not_ours():
    assert found("shop.example", "x.web1.host.example") == "generic"
    assert found("shop.example", relay=Host("web1.host.example.evil.example", "192.0.2.1")) == "generic"
    assert found("shop.example", relay=Host(None, "not an address")) == "generic"


def test_a_leading_dot_means_below_and_only_below():
    assert matches("a.host.example", ".host.example")
    assert not matches("host.example", ".host.example")
    assert not matches("evilhost.example", ".host.example")
    assert is_own("a.b.host.example", Own(hosts=frozenset({".host.example"})))


def test_without_a_generic_provider_there_is_no_answer():
    with pytest.raises(LookupError):
        recognise(Domain.parse("shop.example"), (), OWN, [p for p in KNOWN if p.id != "generic"])


def evidence(observation):
    return Evidence(
        subject=Subject.DISPATCH,
        assessed_at=NOW,
        own=OWN,
        observations=Observations.of([observation]) if observation else Observations(),
        recipient_domain=Domain.parse("shop.example"),
    )


def test_from_evidence_the_mx_hosts_are_read_in_order_of_preference():
    question = DnsQuestion("shop.example", "MX")
    records = (Record("mx01.mail.icloud.com", preference=20), Record("aspmx.l.google.com", preference=10))
    answer = DnsAnswer(question, Rcode.NOERROR, records, "shop.example", 60, "192.0.2.53", NOW)
    assert provider_id(evidence(answer)) == "google-workspace"


def test_from_evidence_an_mx_that_could_not_be_looked_up_says_nothing():
    failed = CouldNotLook(DnsQuestion("shop.example", "MX"), Obstacle.TIMEOUT, "", "192.0.2.53", NOW)
    assert provider_id(evidence(failed)) == "generic"
    assert provider_id(evidence(None)) == "generic"


@pytest.mark.parametrize(
    "domain", ["gmail.com", "yahoo.com.tw", "ms12.hinet.net", "email.cz", "outlook.jp", "x.example"]
)
def test_a_namesake_is_whom_the_look_through_all_files_finds(domain):
    evidence = Evidence(subject=Subject.DISPATCH, assessed_at=NOW, recipient_domain=Domain.parse(domain))
    assert provider_id(evidence) == found(domain, own=Own())


def test_no_domain_belongs_to_two_providers():
    held = [domain for provider in KNOWN for domain in provider.domains]
    assert len(held) == len(set(held))
