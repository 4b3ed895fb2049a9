"""deliverability.toml: what is accepted, and how every mistake is named."""

from ipaddress import ip_network

import pytest

from deliverability.config import (
    MAX_SIZE,
    Configuration,
    LogSource,
    ReportSettings,
    Sender,
    find_sender,
    parse,
)
from deliverability.errors import CannotLookError

FULL = """
schema_version = 1
log_timezone = "+08:00"

[own]
hosts = ["Mail.Hosting.Example.", "bücher.example", "mail.hosting.example"]
networks = ["192.0.2.0/24", "2001:db8::25"]
intermediaries = ["filter.example.net"]
routed_by_mx = true

[[sender]]
domain = "Hosting.example"
author_domain = "brand.example"
selectors = ["S1", "2026.1.1.1"]
egress_ips = ["192.0.2.25", "2001:DB8::0:25"]
helo = "out1.hosting.example"

[[sender]]
domain = "other.example"
helo = "[192.0.2.26]"

[[log]]
name = "mail1"
path = "/var/log/mail.log"

[[log]]
name = "mail2"
command = ["ssh", "mail2", "cat /var/log/mail.log"]

[report]
languages = ["ZH-hant-tw", "en"]
timezone = "Asia/Taipei"
brand_name = "蘋果主機"
contact = "support@hosting.example"
action_url = "https://hosting.example/billing?x=1"
change_address_url = "https://hosting.example/account"

[dns]
nameservers = ["192.0.2.53", "127.0.0.1:5353", "[2001:db8::53]:53", "2001:db8::54"]
"""


def test_everything_that_may_be_said_arrives_in_its_canonical_form():
    assert parse(FULL, "f.toml", commands_allowed=True) == Configuration(
        senders=(
            Sender(
                "hosting.example",
                "brand.example",
                ("s1", "2026.1.1.1"),
                ("192.0.2.25", "2001:db8::25"),
                "out1.hosting.example",
            ),
            Sender("other.example", helo="[192.0.2.26]"),
        ),
        own_hosts=frozenset({"mail.hosting.example", "xn--bcher-kva.example"}),
        own_networks=(ip_network("192.0.2.0/24"), ip_network("2001:db8::25/128")),
        intermediaries=frozenset({"filter.example.net"}),
        routed_by_mx=True,
        logs=(
            LogSource("mail1", "/var/log/mail.log"),
            LogSource("mail2", None, ("ssh", "mail2", "cat /var/log/mail.log")),
        ),
        timezone="+08:00",
        report=ReportSettings(
            ("zh-Hant-TW", "en"),
            "Asia/Taipei",
            "蘋果主機",
            "support@hosting.example",
            "https://hosting.example/billing?x=1",
            "https://hosting.example/account",
        ),
        nameservers=("192.0.2.53", "127.0.0.1:5353", "[2001:db8::53]:53", "2001:db8::54"),
        origin="f.toml",
    )


def test_an_empty_file_is_a_configuration():
    assert parse("", "f.toml") == Configuration(origin="f.toml")


MISTAKES = {
    "toml": ("a = ?\n", "f.toml: not valid TOML: Invalid value (at line 1, column 5)"),
    "toml-later-line": ("[own]\nhosts = ?\n", "line 2"),
    "unknown-top": ("[onw]\n", "f.toml: onw: unknown key; did you mean own?"),
    "unknown-in-table": ("[own]\nhost = []\n", "f.toml: own.host: unknown key; did you mean hosts?"),
    "unknown-in-sender": ('[[sender]]\ndomain = "a.example"\nselektor = 1\n', "sender 1: selektor: unknown key; did"),
    "unknown-far": ("[dns]\nzzzzzz = 1\n", "unknown key; known here: nameservers"),
    "newer": ("schema_version = 2\nnever_heard = 1\n", "is 2, this program reads 1; update deliverability"),
    "older": ("schema_version = 0\n", "is 0, this program reads 1"),
    "version-bool": ("schema_version = true\n", "schema_version: must be a whole number, not true or false"),
    "bool": ("[own]\nrouted_by_mx = 1\n", "own.routed_by_mx: must be true or false, not a number"),
    "list": ('[own]\nhosts = "a.example"\n', "own.hosts: must be a list of strings"),
    "list-entry": ('[own]\nhosts = ["a.example", 2]\n', "own.hosts: entry 2 must be a string in quotes, not a number"),
    "table": ("own = 1\n", "own: must be a table, written [own], not a number"),
    "tables": ('sender = ["a.example"]\n', "sender: must be written [[sender]]"),
    "one-table": ('[sender]\ndomain = "a.example"\n', "sender: must be written [[sender]], once for each"),
    "date": ("log_timezone = 2026-01-01\n", "must be a string in quotes, not a date or time"),
    "no-domain": ("[[sender]]\n", 'sender 1: domain: is missing; write domain = "example.com"'),
    "domain": ('[[sender]]\ndomain = "a b"\n', "sender 1: domain: 'a b' is not a domain or host name"),
    "domain-address": ('[[sender]]\ndomain = "192.0.2.1"\n', "is not a domain or host name"),
    "domain-long": (f'[[sender]]\ndomain = "{"a." * 127}com"\n', "is not a domain or host name"),
    "domain-control": ('[[sender]]\ndomain = "a\\u001b[31m.example"\n', "\\x1b[31m"),
    "domain-bidi": ('[own]\nhosts = ["\\u202egpj.example"]\n', "\\u202egpj"),
    "twice": (
        '[[sender]]\ndomain = "a.example"\n[[sender]]\ndomain = "A.example."\n',
        "sender 2: domain: 'a.example' app",
    ),
    "selector": ('[[sender]]\ndomain = "a.example"\nselectors = ["-"]\n', "'-' is not a DKIM selector"),
    "ip": ('[[sender]]\ndomain = "a.example"\negress_ips = ["192.0.2.300"]\n', "'192.0.2.300' is not an IP address"),
    "ip-network": ('[[sender]]\ndomain = "a.example"\negress_ips = ["192.0.2.0/24"]\n', "is not an IP address"),
    "ip-zone": ('[[sender]]\ndomain = "a.example"\negress_ips = ["fe80::1%eth0"]\n', "zone index"),
    "helo": ('[[sender]]\ndomain = "a.example"\nhelo = "[x]"\n', "'[x]' is not an IP address"),
    "network-bits": ('[own]\nnetworks = ["192.0.2.7/24"]\n', "has bits set after the prefix; write 192.0.2.0/24"),
    "network-all": ('[own]\nnetworks = ["0.0.0.0/0"]\n', "is the whole Internet"),
    "network-none": ('[own]\nnetworks = ["localhost"]\n', "is not an IP address or network"),
    "log-name": ('[[log]]\npath = "/x"\n', "log 1: name: is missing"),
    "log-name-form": ('[[log]]\nname = "a=b"\npath = "/x"\n', "'a=b' is no name for a log"),
    "log-none": ('[[log]]\nname = "a"\n', "log 1: path: give either path or command"),
    "log-both": ('[[log]]\nname = "a"\npath = "/x"\ncommand = ["y"]\n', "log 1: path: give either path or command"),
    "log-twice": ('[[log]]\nname = "a"\npath = "/x"\n[[log]]\nname = "a"\npath = "/y"\n', "'a' appears twice"),
    "log-path": ('[[log]]\nname = "a"\npath = "/x\\u0000"\n', "is not a path"),
    "command-shell": ('[[log]]\nname = "a"\ncommand = "cat /x"\n', "log 1: command: must be a list of words"),
    "command-word": ('[[log]]\nname = "a"\ncommand = ["cat", 1]\n', "every word must be a string"),
    "command-nul": ('[[log]]\nname = "a"\ncommand = ["cat", "\\u0000"]\n', "every word must be a string"),
    "command-empty": ('[[log]]\nname = "a"\ncommand = [""]\n', "the program, is empty"),
    "zone": ('log_timezone = "8"\n', "'8' is no time zone"),
    "zone-offset": ('log_timezone = "+8:00"\n', "is no time zone"),
    "zone-path": ('log_timezone = "../../etc/passwd"\n', "is no time zone"),
    "language": ('[report]\nlanguages = ["chinese"]\n', "'chinese' is no language tag"),
    "url": ('[report]\naction_url = "javascript:alert(1)"\n', "is no web address"),
    "url-quote": ('[report]\naction_url = "https://a.example/\\"onclick"\n', "is no web address"),
    "brand-lines": ('[report]\nbrand_name = "a\\nb"\n', "must be one line of visible text"),
    "brand-bidi": ('[report]\nbrand_name = "a\\u202eb"\n', "must be one line of visible text"),
    "brand-long": (f'[report]\nbrand_name = "{"a" * 2001}"\n', "longer than 2000 characters"),
    "nameserver": ('[dns]\nnameservers = ["dns.example"]\n', "'dns.example' is not an IP address"),
    "nameserver-port": ('[dns]\nnameservers = ["192.0.2.1:65536"]\n', "is not IP, IP:port or [IPv6]:port"),
    "nameserver-bracket": ('[dns]\nnameservers = ["[2001:db8::1]53"]\n', "is not IP, IP:port or [IPv6]:port"),
    "many": ("[dns]\nnameservers = [" + '"192.0.2.1",' * 17 + "]\n", "dns.nameservers: more than 16 entries"),
    "deep": ("a = " + "[" * 100_000, "nested too deeply"),
    "number": ("a = " + "9" * 10_000, "not valid TOML"),
    "large": ("#" * (MAX_SIZE + 1), "larger than 1 MiB"),
    "large-octets": ("#" + "蘋" * (MAX_SIZE // 2), "larger than 1 MiB"),
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_its_file_and_key(text, said):
    with pytest.raises(CannotLookError) as caught:
        parse(text, "f.toml", commands_allowed=True)
    line = str(caught.value)
    assert line.startswith("f.toml: ")
    assert said in line
    assert line.isprintable()


def test_a_command_needs_permission():
    text = '[[log]]\nname = "a"\ncommand = ["cat", "/x"]\n'
    with pytest.raises(CannotLookError, match="may not run programs"):
        parse(text, "f.toml")
    assert parse(text, "f.toml", commands_allowed=True).logs[0].command == ("cat", "/x")


def test_a_foreign_file_name_cannot_disturb_the_terminal():
    with pytest.raises(CannotLookError) as caught:
        parse("x = 1", "a\x1b]0;b.toml")
    assert str(caught.value).isprintable()


def test_a_sender_is_found_by_its_envelope_domain_alone():
    configuration = parse(FULL, "f.toml", commands_allowed=True)
    assert find_sender(configuration, "HOSTING.example.") is configuration.senders[0]
    assert find_sender(configuration, "brand.example") is None
    assert find_sender(configuration, "sub.hosting.example") is None
