"""A look at a machine: trees as they lie on real ones, and trees that mean harm."""

import gzip
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deliverability.capture.host import describe, survey, to_toml
from deliverability.capture.host.eximconf import is_on, selected
from deliverability.config import Sender, parse

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)

POSTFIX = """
# comment
myhostname = out1.hosting.example
mydomain = hosting.example
mydestination = $myhostname, ${mydomain}, localhost.$mydomain, localhost,
    # a comment inside a value
    mail.$(mydomain) hash:/etc/postfix/more
smtp_bind_address = 192.0.2.25
smtp_bind_address6 = [2001:db8::25]
inet_interfaces = 192.0.2.25, 127.0.0.1
maillog_file = /var/log/postfix.log
header_checks = regexp:/etc/postfix/header_checks
"""

EXIM = """
primary_hostname = srv.hosting.example
CONFDIR = /etc/exim4
.ifdef DIVERT
SMART = relay.example.net
.endif
domainlist local_domains = @ : hosting.example : lsearch;/etc/localdomains : localhost
log_file_path = /var/log/exim_%slog
log_selector = +subject \\
               +outgoing_interface
log_timezone = true
begin acl
  accept hosts = :
begin routers
manual:
  driver = manualroute
  domains = +manualmx
  route_data = ${lookup{$domain}lsearch{/etc/manualmx}}
  transport = remote_smtp
.ifdef SMART
smart:
  driver = manualroute
  route_list = * SMART
.endif
dns:
  driver = dnslookup
  domains = ! +local_domains
  transport = remote_smtp
begin transports
remote_smtp:
  driver = smtp
  interface = <; 192.0.2.30 ; 2001:db8::30
  dkim_domain = hosting.example
  dkim_selector = e1
local:
  driver = appendfile
"""


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def look(root: Path):
    found = survey(root, now=NOW)
    reread = parse(to_toml(found), "f.toml")
    assert reread.own_hosts == frozenset(host.value for host in found.own_hosts)
    assert reread.own_networks == tuple(network.value for network in found.own_networks)
    assert reread.routed_by_mx == found.routed_by_mx.value
    assert reread.senders == tuple(sender.value for sender in found.senders)
    assert [(log.name, log.path) for log in reread.logs] == [(log.name, log.path) for log in found.logs]
    assert reread.timezone == (found.timezone.value if found.timezone else None)
    assert all(line.isprintable() for line in describe(found))
    return found


def hosts(found):
    return {host.value: host.found_in for host in found.own_hosts}


def networks(found):
    return {str(network.value): network.found_in for network in found.own_networks}


def said(found, words):
    return any(words in note for note in found.notes)


def test_an_empty_machine_has_nothing_and_says_so(tmp_path):
    found = look(tmp_path)
    assert (found.mtas, found.logs, found.own_hosts, found.senders) == ((), (), (), ())
    assert describe(found)[0] == "Found no mail server's configuration on this machine."
    assert said(found, "No mail log was found")
    assert not found.routed_by_mx.value


def test_postfix(tmp_path):
    plant(
        tmp_path,
        {
            "etc/postfix/main.cf": POSTFIX,
            "etc/postfix/master.cf": "smtp inet n - y - - smtpd\n# -o relayhost=[commented.example]\n",
            "etc/postfix/header_checks": "# Subject INFO\n/^Subject:/ INFO\n",
            "etc/hostname": "out1\n",
        },
    )
    found = look(tmp_path)
    assert [(mta.name, mta.version) for mta in found.mtas] == [("Postfix", None)]
    main = "/etc/postfix/main.cf"
    assert hosts(found) == {
        "out1.hosting.example": f"{main}, myhostname",
        "hosting.example": f"{main}, mydestination",
        "localhost.hosting.example": f"{main}, mydestination",
        "mail.hosting.example": f"{main}, mydestination",
    }
    assert networks(found) == {
        "192.0.2.25/32": f"{main}, smtp_bind_address",
        "2001:db8::25/128": f"{main}, smtp_bind_address6",
    }
    assert found.routed_by_mx.value
    assert not said(found, "subjects")
    plant(tmp_path, {"etc/postfix/header_checks": "# /^Subject:/ INFO\n"})
    assert said(look(tmp_path), "Postfix does not record subjects")


@pytest.mark.parametrize(
    ("main", "master", "reason"),
    [
        ("relayhost = [smart.example]:587", "", "relayhost = [smart.example]:587"),
        ("transport_maps = hash:/etc/postfix/transport", "", "transport_maps"),
        ("sender_dependent_relayhost_maps = hash:/x", "", "sender_dependent_relayhost_maps"),
        ("default_transport = smtp:[smart.example]", "", "a fixed next hop"),
        ("default_transport = uucp", "", "default_transport = uucp"),
        ("smtp_fallback_relay = smart.example", "", "smtp_fallback_relay"),
        ("content_filter = smtp:[filter.example.net]:10025", "", "content_filter"),
        ("smtp_dns_support_level = disabled", "", "smtp_dns_support_level"),
        ("a = $b\nb = $a\nrelayhost = $a$b", "", "relayhost"),
        ("", "smtp unix - - y - - smtp\n  -o relayhost=[smart.example]\n", "master.cf: relayhost = [smart.example]"),
        ("", "smtp unix - - y - - smtp\n  -o { relayhost = [smart.example] }\n", "master.cf: relayhost"),
        ("", None, "master.cf: transport_maps = could not be read"),
    ],
)
def test_postfix_that_may_divert_mail_is_not_routed_by_mx(tmp_path, main, master, reason):
    plant(tmp_path, {"etc/postfix/main.cf": POSTFIX + main + "\n"})
    if master is not None:
        plant(tmp_path, {"etc/postfix/master.cf": master})
    found = look(tmp_path)
    assert not found.routed_by_mx.value
    assert reason in found.routed_by_mx.found_in


def test_a_content_filter_on_this_host_diverts_nothing(tmp_path):
    main = POSTFIX + "relayhost =\ncontent_filter = smtp-amavis:[127.0.0.1]:10024\n"
    plant(tmp_path, {"etc/postfix/main.cf": main, "etc/postfix/master.cf": "\n"})
    assert look(tmp_path).routed_by_mx.value


def test_a_short_host_name_is_no_own_host(tmp_path):
    plant(tmp_path, {"etc/postfix/main.cf": "myhostname = vm\n", "etc/hostname": "vm\n"})
    found = look(tmp_path)
    assert hosts(found) == {}
    assert said(found, "myhostname is 'vm', not a full host name")


def test_exim(tmp_path):
    plant(tmp_path, {"etc/exim.conf": EXIM, "etc/localdomains": "customer.example\nother.example\n"})
    found = look(tmp_path)
    assert [mta.name for mta in found.mtas] == ["Exim"]
    assert set(hosts(found)) == {"srv.hosting.example", "hosting.example", "customer.example", "other.example"}
    assert networks(found) == {
        "192.0.2.30/32": "/etc/exim.conf, transport remote_smtp, interface",
        "2001:db8::30/128": "/etc/exim.conf, transport remote_smtp, interface",
    }
    sender = Sender("hosting.example", None, ("e1",), ("192.0.2.30", "2001:db8::30"), "srv.hosting.example")
    assert [found.value for found in found.senders] == [sender]
    assert found.routed_by_mx.value
    assert not any("Exim" in note for note in found.notes)


def test_a_manual_route_counts_once_its_table_has_entries(tmp_path):
    plant(tmp_path, {"etc/exim.conf": EXIM, "etc/manualmx": "# none\n"})
    assert look(tmp_path).routed_by_mx.value
    plant(tmp_path, {"etc/manualmx": "a.example: mx.example.net\n"})
    found = look(tmp_path)
    assert not found.routed_by_mx.value
    assert "router manual is a manualroute" in found.routed_by_mx.found_in


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("primary_hostname", "DIVERT = 1\nprimary_hostname"), "router smart is a manualroute"),
        (("dns:\n  driver = dnslookup", "dns:\n  driver = queryprogram"), "router dns has driver queryprogram"),
        (("dns:\n  driver = dnslookup", "dns:\n  driver = accept"), "no router of driver dnslookup"),
        (("  driver = smtp", "  driver = smtp\n  hosts = smart.example"), "transport remote_smtp sets hosts"),
        (("begin acl", ".include /etc/exim.more\nbegin acl"), "a part of it could not be read"),
    ],
)
def test_exim_that_may_divert_mail_is_not_routed_by_mx(tmp_path, change, reason):
    plant(tmp_path, {"etc/exim.conf": EXIM.replace(*change)})
    found = look(tmp_path)
    assert not found.routed_by_mx.value
    assert reason in found.routed_by_mx.found_in


def test_exim_says_what_its_log_leaves_out(tmp_path):
    text = EXIM.replace("+subject", "-smtp_confirmation").replace("+outgoing_interface", "+all_parents")
    found = look(plant(tmp_path, {"etc/exim.conf": text.replace("log_timezone = true", "")}))
    assert said(found, "add `+subject` to log_selector in /etc/exim.conf")
    assert said(found, "add `+outgoing_interface` to log_selector in /etc/exim.conf")
    assert said(found, "take `-smtp_confirmation` out")
    assert said(found, "`log_timezone = true` in /etc/exim.conf")


def test_log_selectors_are_read_from_left_to_right():
    default = frozenset({"smtp_confirmation"})
    assert is_on(selected("", default=default), "smtp_confirmation")
    assert not is_on(selected("+subject -subject", default=default), "subject")
    assert is_on(selected("+all", default=default), "subject")
    assert not is_on(selected("+all -subject", default=default), "subject")
    assert is_on(selected("-all +subject", default=default), "subject")
    assert not is_on(selected("-all +subject", default=default), "smtp_confirmation")


def test_debians_exim_without_the_right_to_read_what_it_is_made_into(tmp_path):
    template = EXIM.replace("DIVERT", "DCconfig_smarthost").replace("hosting.example :", "MAIN_LOCAL_DOMAINS :")
    answers = "dc_eximconfig_configtype='internet'\ndc_other_hostnames='mail.hosting.example;hosting.example'\n"
    plant(
        tmp_path,
        {
            "etc/exim4/exim4.conf.template": template.replace("+subject", ""),
            "etc/exim4/update-exim4.conf.conf": answers,
        },
    )
    found = look(tmp_path)
    assert {"mail.hosting.example", "hosting.example"} <= set(hosts(found))
    assert found.routed_by_mx.value
    assert said(found, "add `+subject` to the macro MAIN_LOG_SELECTOR in /etc/exim4/exim4.conf.localmacros")
    plant(tmp_path, {"etc/exim4/update-exim4.conf.conf": answers.replace("internet", "smarthost")})
    assert not look(tmp_path).routed_by_mx.value


def cpanel(root: Path, domains: int = 2) -> Path:
    exim = EXIM.replace("interface = <; 192.0.2.30 ; 2001:db8::30", "interface = ${if exists {/etc/mailips}{x}}")
    plant(
        root,
        {
            "usr/local/cpanel/version": "11.120.0.5\n",
            "etc/exim.conf": exim.replace("dkim_domain = hosting.example", "dkim_domain = $sender_address_domain"),
            "etc/mailips": "site0.example: 192.0.2.40;2001:db8::40\n*: 192.0.2.41\nsite0.example: 192.0.2.99\n",
            "etc/mailhelo": "site0.example: mail.site0.example\n*: srv.hosting.example\n",
            "var/cpanel/mainip": "192.0.2.41",
            "etc/localdomains": "".join(f"site{n}.example\n" for n in range(domains)),
        },
    )
    for n in range(domains):
        plant(root, {f"var/cpanel/domain_keys/private/site{n}.example": "-----BEGIN RSA PRIVATE KEY-----\nSECRET"})
    return root


def test_cpanel(tmp_path):
    found = look(cpanel(tmp_path))
    assert found.panel.value == "cPanel 11.120.0.5"
    assert [sender.value for sender in found.senders] == [
        Sender("site0.example", None, ("default",), ("192.0.2.40", "2001:db8::40"), "mail.site0.example"),
        Sender("site1.example", None, ("default",), ("192.0.2.41",), "srv.hosting.example"),
    ]
    assert networks(found) == dict.fromkeys(("192.0.2.40/32", "2001:db8::40/128", "192.0.2.41/32"), "/etc/mailips")
    assert hosts(found)["mail.site0.example"] == "/etc/mailhelo"
    assert "SECRET" not in repr(found)


def test_a_host_of_many_domains_is_counted_and_not_listed(tmp_path):
    found = look(cpanel(tmp_path, 51))
    assert found.senders == ()
    assert said(found, "DKIM keys for 51 domains")
    assert said(found, "/etc/localdomains lists 51 local domains")
    assert "site7.example" not in hosts(found)


def test_cpanel_without_mailips_sends_from_its_main_address(tmp_path):
    (cpanel(tmp_path) / "etc/mailips").unlink()
    found = look(tmp_path)
    assert {sender.value.egress_ips for sender in found.senders} == {("192.0.2.41",)}
    assert networks(found) == {"192.0.2.41/32": "/var/cpanel/mainip"}


def test_opendkim(tmp_path):
    plant(
        tmp_path,
        {
            "etc/postfix/main.cf": POSTFIX,
            "etc/opendkim.conf": "Syslog yes\nDomain *\nKeyTable refile:/etc/opendkim/keytable\n",
            "etc/opendkim/keytable": "k1 hosting.example:s1:/etc/dkimkeys/s1.private\n"
            "k2 hosting.example:s2:/etc/dkimkeys/s2.private\nk3 %:s3:/etc/dkimkeys/s3.private\nnonsense\n",
        },
    )
    found = look(tmp_path)
    addresses = ("192.0.2.25", "2001:db8::25")
    assert [sender.value for sender in found.senders] == [
        Sender("hosting.example", None, ("s1", "s2"), addresses, "out1.hosting.example")
    ]
    plant(tmp_path, {"etc/opendkim.conf": "Domain a.example, b.example\nSelector mail\n"})
    assert [(s.value.domain, s.value.selectors) for s in look(tmp_path).senders] == [
        ("a.example", ("mail",)),
        ("b.example", ("mail",)),
    ]


def test_rspamd(tmp_path):
    plant(
        tmp_path,
        {
            "etc/rspamd/local.d/dkim_signing.conf": "# comment { selector = no; }\n"
            'path = "/var/lib/rspamd/dkim/$domain.$selector.key"\nselector = "2026";\nselector_map = "/etc/rspamd/map";\n'
            'domain {\n  one.example {\n    selectors [\n      { path = "/k"; selector = "s1"; },\n'
            '      { path: "/k2", selector: "s2" }\n    ]\n  }\n  two.example { path = "/k"\n selector = "s3"\n }\n}\n',
            "etc/rspamd/map": "three.example s4\n",
            "var/lib/rspamd/dkim/four.example.2026.key": "-----BEGIN PRIVATE KEY-----\nSECRET",
            "var/lib/rspamd/dkim/readme": "",
        },
    )
    found = look(tmp_path)
    assert {sender.value.domain: sender.value.selectors for sender in found.senders} == {
        "one.example": ("s1", "s2"),
        "two.example": ("s3",),
        "three.example": ("s4",),
        "four.example": ("2026",),
    }


def test_logs_and_how_far_back_they_reach(tmp_path):
    plant(tmp_path, {"etc/postfix/main.cf": POSTFIX, "var/log/mail.log": "Nov 21 06:00:00 out1 postfix/smtp[1]: x\n"})
    for n, day in ((2, b"Oct 26"), (3, b"Oct 19")):
        path = tmp_path / f"var/log/mail.log.{n}.gz"
        path.write_bytes(gzip.compress(b"no date here\n" + day + b" 06:25:01 out1 postfix/qmgr[1]: x\n"))
        os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    (log,) = look(tmp_path).logs
    assert (log.path, log.files, log.days, log.first_from) == ("/var/log/mail.log", 3, 34, "file date")
    assert log.first == datetime(2026, 10, 19, 6, 25, 1)  # noqa: DTZ001
    line = "Log /var/log/mail.log: 3 files, reaches back 34 days to 2026-10-19, the year by file date."
    assert line in describe(survey(tmp_path, now=NOW))


def test_a_yearless_log_across_new_year_and_a_dated_one(tmp_path):
    plant(
        tmp_path,
        {
            "var/log/maillog": "Dec 31 23:00:00 a postfix/qmgr[1]: x\n",
            "var/log/mail.log": "2026-11-20T06:00:00.1+08:00 a postfix/qmgr[1]: x\n",
            "var/log/exim_mainlog": "2026-11-01 06:00:00 1abc <= x\n",
            "var/log/exim4/mainlog": "no date at all\n",
        },
    )
    new_year = datetime(2026, 1, 1, 0, 30, tzinfo=UTC).timestamp()
    os.utime(tmp_path / "var/log/maillog", (new_year, new_year))
    logs = {log.path: log for log in look(tmp_path).logs}
    assert logs["/var/log/maillog"].first.year == 2025
    assert (logs["/var/log/mail.log"].days, logs["/var/log/mail.log"].first_from) == (2, "logged")
    assert logs["/var/log/exim_mainlog"].days == 21
    assert logs["/var/log/exim4/mainlog"].days is None


def test_the_system_zone(tmp_path):
    plant(tmp_path, {"etc/timezone": "Asia/Taipei\n"})
    assert look(tmp_path).timezone.value == "Asia/Taipei"
    (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    assert look(tmp_path).timezone.value == "Europe/Berlin"
    (tmp_path / "etc/localtime").unlink()
    plant(tmp_path, {"etc/timezone": "../../etc/passwd\n"})
    assert look(tmp_path).timezone is None


def test_nothing_outside_the_root_is_read(tmp_path):
    plant(tmp_path, {"secret/main.cf": "myhostname = outside.example\n", "root/etc/exim.conf": EXIM})
    (tmp_path / "root/etc/postfix").symlink_to(tmp_path / "secret")
    (tmp_path / "root/etc/localdomains").symlink_to("../../secret/main.cf")
    found = look(tmp_path / "root")
    assert "outside.example" not in hosts(found)
    assert [mta.name for mta in found.mtas] == ["Exim"]


@pytest.mark.parametrize(
    "hostile",
    [
        "A = A A A A A A A A A A\nB = A A A A\nprimary_hostname = B B B B\n",
        "".join(f"M{n} = M{n + 1} M{n + 1}\n" for n in range(60)) + "primary_hostname = M0\n",
        ".include /etc/exim.conf\n" * 100,
        ".ifdef X\n" * 1000 + ".endif\n" * 2000,
        "primary_hostname = \x1b]0;title\x07.example\nlog_file_path = /x/\x1b[31m%slog\n",
        "begin routers\n" + "\\\n" * 10_000,
        "x" * 900_000 + "=\n",
        'begin routers\nr:\n  driver = "\n[[sender]]\\n"\n',
    ],
)
def test_a_hostile_exim_configuration_does_no_harm(tmp_path, hostile):
    plant(tmp_path, {"etc/exim.conf": hostile, "etc/postfix/main.cf": hostile, "etc/mailips": hostile})
    plant(tmp_path, {"etc/rspamd/local.d/dkim_signing.conf": hostile + "{[" * 1000, "etc/opendkim.conf": hostile})
    assert not look(tmp_path).routed_by_mx.value


def test_devices_and_large_files_are_not_read(tmp_path):
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/mailips")
    plant(tmp_path, {"etc/exim.conf": "#" * (1 << 20) + "#"})
    found = look(tmp_path)
    assert said(found, "/etc/exim.conf: larger than 1 MiB and not read")
    assert found.own_networks == ()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_said(tmp_path):
    plant(tmp_path, {"etc/postfix/main.cf": POSTFIX, "var/log/mail.log": "x"})
    for name in ("etc/postfix/main.cf", "var/log/mail.log"):
        (tmp_path / name).chmod(0)
    found = look(tmp_path)
    assert said(found, "/var/log/mail.log is there and cannot be used")
    assert not said(found, "No mail log was found")
    assert "could not be read" in found.routed_by_mx.found_in


@pytest.mark.server
@pytest.mark.skipif(
    shutil.which("postconf", path="/usr/sbin") is None or not Path("/etc/postfix/main.cf").exists(),
    reason="no Postfix is installed and configured",
)
def test_this_machines_postfix_is_asked():
    found = look(Path("/"))
    (postfix,) = (mta for mta in found.mtas if mta.name == "Postfix")
    assert postfix.version[0].isdigit()
