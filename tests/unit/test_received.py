"""Received and Authentication-Results fields as real servers write them, and as hostile ones might."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.protocols.authres import parse_authres
from deliverability.protocols.hops import owner
from deliverability.protocols.received import parse_received

AT = "; Sun, 22 Nov 2026 13:00:04 +0800"


@pytest.mark.parametrize(
    ("text", "by", "name", "ip", "protocol"),
    [
        # Postfix: what the client called itself, then the looked-up name and the address.
        (
            (
                "from helo.example (out1.hosting.example [203.0.113.9]) (using TLSv1.3 with cipher X (256/256 bits)) "
                "by mx.shop.example (Postfix) with ESMTPS id 4f for <mei@shop.example>"
            ),
            "mx.shop.example",
            "out1.hosting.example",
            "203.0.113.9",
            "ESMTPS",
        ),
        (
            "from mx.shop.example (unknown [198.51.100.66]) by mx.shop.example (Postfix) with ESMTP id 1",
            "mx.shop.example",
            None,
            "198.51.100.66",
            "ESMTP",
        ),
        # Exim: the looked-up name first, what the client called itself inside.
        (
            (
                "from out1.hosting.example ([203.0.113.9]:58000 helo=whoever.example) by web2.shop.example with esmtps "
                "(TLS1.3) tls TLS_AES_256_GCM_SHA384 (Exim 4.98) (envelope-from <a@b.example>) id 1vM for mei@shop.example"
            ),
            "web2.shop.example",
            "out1.hosting.example",
            "203.0.113.9",
            "esmtps",
        ),
        (
            "from [203.0.113.9] (helo=mx.shop.example) by web2.shop.example with esmtp (Exim 4.98) id 1",
            "web2.shop.example",
            None,
            "203.0.113.9",
            "esmtp",
        ),
        # Exim without reverse DNS: the name is the client's own word, and no name is told.
        (
            "from mx.shop.example ([203.0.113.9]) by web2.shop.example with esmtp (Exim 4.98) id 1",
            "web2.shop.example",
            None,
            "203.0.113.9",
            "esmtp",
        ),
        # Sendmail, Gmail, Microsoft, qmail.
        (
            "from helo.example ([203.0.113.9]) by mx.shop.example (8.17.1/8.17.1) with ESMTP id 6AM",
            "mx.shop.example",
            None,
            "203.0.113.9",
            "ESMTP",
        ),
        (
            "from out1.hosting.example (out1.hosting.example. [203.0.113.9]) by mx.google.com with ESMTPS id d9si1",
            "mx.google.com",
            "out1.hosting.example",
            "203.0.113.9",
            "ESMTPS",
        ),
        (
            "from a.prod.outlook.com (2603:10a6:20b:1::1) by b.prod.outlook.com with HTTPS",
            "b.prod.outlook.com",
            None,
            "2603:10a6:20b:1::1",
            "HTTPS",
        ),
        (
            "from unknown (HELO [10.0.0.1]) (203.0.113.9) by mx.shop.example with SMTP",
            "mx.shop.example",
            None,
            "203.0.113.9",
            "SMTP",
        ),
        (
            "from [IPv6:2001:db8::9] (host.example [IPv6:2001:db8::9]) by MX.Shop.Example. with LMTP",
            "mx.shop.example",
            "host.example",
            "2001:db8::9",
            "LMTP",
        ),
        # No other side at all.
        (
            "by 2002:a05:7300:d105:b0:16b:9d25:d8b0 with SMTP id x5",
            "2002:a05:7300:d105:b0:16b:9d25:d8b0",
            None,
            None,
            "SMTP",
        ),
        ("(qmail 29009 invoked from network)", None, None, None, None),
        ("", None, None, None, None),
    ],
)
def test_received(text, by, name, ip, protocol):
    hop = parse_received(text + AT if text else text)
    assert (hop.by, hop.client_name, hop.client_ip, hop.protocol) == (by, name, ip, protocol)
    assert hop.at == (datetime(2026, 11, 22, 5, 0, 4, tzinfo=UTC) if text else None)
    assert hop.has_from == text.startswith("from")


@pytest.mark.parametrize(
    "date", ["", "; yesterday", "; Sun, 99 Nov 2026 13:00:04 +0800", "; Sun, 22 Nov 999999 13:00:04"]
)
def test_a_time_that_is_none(date):
    assert parse_received("from a.example by b.example with SMTP" + date).at is None


def test_a_helo_name_with_a_word_of_the_grammar_changes_nothing():
    hop = parse_received(
        "from by (evil.example [198.51.100.66]) by mx.shop.example with ESMTP; Sun, 22 Nov 2026 05:00:04 +0000"
    )
    assert hop.by != "mx.shop.example" or hop.client_ip == "198.51.100.66"


@given(st.text(max_size=600))
def test_any_text_is_a_hop(text):
    assert parse_received(text).text == text


@pytest.mark.parametrize("text", ["(" * 9000, "from " * 4000, "[" * 9000, ";" * 9000, "from a (" + "b [" * 4000])
def test_long_fields_take_no_harm(text):
    assert parse_received(text).client_ip is None


@pytest.mark.parametrize(
    ("text", "who", "results"),
    [
        (
            (
                "mx.google.com; dkim=pass header.i=@hosting.example header.s=s2026; spf=pass (google.com: a; b) "
                "smtp.mailfrom=r@hosting.example; dmarc=pass (p=REJECT) header.from=hosting.example"
            ),
            "mx.google.com",
            [("dkim", "pass"), ("spf", "pass"), ("dmarc", "pass")],
        ),
        (
            "spf=pass (sender IP is 203.0.113.9) smtp.mailfrom=a.example; dmarc=pass action=none header.from=a.example;compauth=pass reason=100",
            None,
            [("spf", "pass"), ("dmarc", "pass"), ("compauth", "pass")],
        ),
        ("mx.shop.example 1; none", "mx.shop.example", []),
        ('mx.shop.example; dkim=FAIL reason="a; dmarc=pass"', "mx.shop.example", [("dkim", "fail")]),
        # What an envelope sender with quotes put in there stays text (whitelisting by header alone falls for it).
        (
            'mx.shop.example; spf=pass smtp.mailfrom="a; dmarc=pass header.from=host.example b"@evil.example',
            "mx.shop.example",
            [("spf", "pass")],
        ),
        ("mx.shop.example; (comment; dmarc=pass) spf=none", "mx.shop.example", [("spf", "none")]),
        ("", None, []),
        (";;;", None, []),
    ],
)
def test_authentication_results(text, who, results):
    found = parse_authres(text)
    assert found.authserv_id == who
    assert [(r.method, r.result) for r in found.results] == results


def test_properties_are_unquoted():
    found = parse_authres('mx.a.example; dmarc=fail reason="policy; not aligned" header.from=b.example')
    assert dict(found.of("dmarc")[0].properties) == {"reason": "policy; not aligned", "header.from": "b.example"}


@given(st.text(max_size=600))
def test_any_text_has_results(text):
    assert all(r.method == r.method.lower() for r in parse_authres(text).results)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("mx1.shop.example", "shop.example"),
        ("a.b.hinet.net", "hinet.net"),
        ("mx.shop.com.tw", "shop.com.tw"),
        ("localhost", "localhost"),
        ("MX.Shop.Example.", "shop.example"),
    ],
)
def test_owner(host, expected):
    assert owner(host) == expected
