"""TLS-RPT records: the RFC's own examples, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.errors import ParseError
from deliverability.evidence.names import Domain
from deliverability.protocols.tls_rpt import Reporting, parse_record, record_name


def test_where_it_stands() -> None:
    assert record_name(Domain("example.com")) == "_smtp._tls.example.com"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("v=TLSRPTv1;rua=mailto:reports@example.com", Reporting(("mailto:reports@example.com",), ())),  # RFC 8460 §3
        (
            "v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt ;",
            Reporting(("https://reporting.example.com/v1/tlsrpt",), ()),
        ),
        (
            "v=TLSRPTv1; rua=mailto:a@b.example , https://c.example/?d=1,ftp://e.example/; x=y",
            Reporting(("mailto:a@b.example", "https://c.example/?d=1"), ("ftp://e.example/",)),
        ),
        ("v=TLSRPTv1; rua=MAILTO:a@b.example", Reporting(("MAILTO:a@b.example",), ())),
        ("v=TLSRPTv1; rua=http://e.example/", Reporting((), ("http://e.example/",))),
    ],
)
def test_records(text: str, found: Reporting) -> None:
    assert parse_record(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v=TLSRPTv1",
        "v=TLSRPTv1;",
        "v=tlsrptv1; rua=mailto:a@b.example",
        " v=TLSRPTv1; rua=mailto:a@b.example",
        "v=TLSRPTv1; rua=",
        "v=TLSRPTv1; rua=,mailto:a@b.example",
        "v=TLSRPTv1; rua=a@b.example",
        "v=TLSRPTv1; rua=mailto:a b@c.example",
        "v=TLSRPTv1; rua=mailto:a@b.example!10m",
        "v=TLSRPTv1; rua=mailto:a@b.example; rua=mailto:c@d.example",
        "v=TLSRPTv1; rua=mailto:\x1b[2J",
        "v=TLSRPTv1;; rua=mailto:a@b.example",
        "v=TLSRPTv1; rua=" + ",".join(["mailto:a@b.example"] * 51),
    ],
)
def test_what_is_no_record(text: str) -> None:
    with pytest.raises(ParseError):
        parse_record(text)


@given(st.text(max_size=200) | st.text("rua=mil:;, \t!x", max_size=60).map("v=TLSRPTv1;".__add__))
def test_any_text_is_a_record_or_a_parse_error(text: str) -> None:
    try:
        found = parse_record(text)
    except ParseError:
        return
    assert found.rua or found.unusable
    assert all(uri.isascii() and uri.isprintable() and " " not in uri for uri in (*found.rua, *found.unusable))
