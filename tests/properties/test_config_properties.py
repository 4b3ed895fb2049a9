"""Whatever a configuration file holds, it is a configuration or one of our errors; canonical forms stay as they are."""

import json
import tomllib

from hypothesis import given
from hypothesis import strategies as st

from deliverability.capture.host import Found, HostSurvey, LogSet, to_toml
from deliverability.config import Configuration, Sender, address, domain_name, network, parse, selector_name
from deliverability.errors import CannotLookError

KEYS = ("schema_version", "log_timezone", "own", "sender", "log", "report", "dns", "hosts", "domain", "path", "name")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), inner),
    max_leaves=12,
)


def _toml(value) -> str:
    """A value as inline TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return "1.5" if value is None else json.dumps(value)


def _parsed(text: str) -> Configuration | None:
    try:
        return parse(text, "f.toml")
    except CannotLookError as problem:
        said = str(problem)
    assert said.isprintable()
    assert said.startswith("f.toml: ")
    return None


@given(st.text())
def test_any_text_is_a_configuration_or_our_error(text):
    _parsed(text)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4))
def test_any_document_is_a_configuration_or_our_error(document):
    _parsed("\n".join(f"{key} = {_toml(value)}" for key, value in document.items()))


@given(st.text(max_size=60) | st.from_regex(r"[a-z0-9_-]{1,8}(\.[a-zé林.]{1,8}){0,3}", fullmatch=True))
def test_what_a_check_returns_it_returns_again(text):
    for check in (domain_name, selector_name, address, network):
        try:
            once = str(check(text))
        except ValueError:
            continue
        assert str(check(once)) == once
        assert once.isascii()
        assert once.isprintable()


NAMES = st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8}){1,2}", fullmatch=True)
FOREIGN = st.text(max_size=60)


@given(
    hosts=st.lists(NAMES, max_size=4, unique=True),
    networks=st.lists(st.ip_addresses(), max_size=4, unique=True),
    paths=st.lists(st.from_regex(r"/[\w. \"'\\#=\[\]-]{1,20}", fullmatch=True), max_size=3, unique=True),
    senders=st.lists(NAMES, max_size=3, unique=True),
    routed=st.booleans(),
    foreign=FOREIGN,
)
def test_a_survey_written_out_reads_back_as_what_was_found(hosts, networks, paths, senders, routed, foreign):
    survey = HostSurvey(
        logs=tuple(LogSet(f"log{n}", path, 1, None, None, None, foreign) for n, path in enumerate(paths)),
        own_hosts=tuple(Found(host, foreign) for host in hosts),
        own_networks=tuple(Found(network(str(ip)), foreign) for ip in networks),
        routed_by_mx=Found(routed, foreign),
        senders=tuple(Found(Sender(domain, None, ("s1",), ("192.0.2.1",), domain), foreign) for domain in senders),
        notes=(foreign,),
    )
    text = to_toml(survey)
    assert set(tomllib.loads(text)) <= {"schema_version", "own", "log", "sender", "report", "dns", "archive"}
    read = parse(text, "f.toml")
    assert read.own_hosts == frozenset(hosts)
    assert read.own_networks == tuple(found.value for found in survey.own_networks)
    assert [log.path for log in read.logs] == paths
    assert read.senders == tuple(found.value for found in survey.senders)
    assert read.routed_by_mx is routed
