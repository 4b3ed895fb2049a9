"""``examples/responder.py``: what the demo's name server answers, over real sockets on loopback."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ZONES = """$ORIGIN one.example.
one.example. 300 IN SOA ns.one.example. hostmaster.one.example. 1 3600 600 86400 60
one.example. 300 IN NS ns.one.example.
ns.one.example. 300 IN A 192.0.2.1
alias.one.example. 300 IN CNAME target.two.example.
away.one.example. 300 IN CNAME www.elsewhere.example.
loop.one.example. 300 IN CNAME loop.one.example.
a.b.c.one.example. 300 IN A 192.0.2.2
big.one.example. 300 IN TXT {big}

$ORIGIN two.example.
two.example. 300 IN SOA ns.one.example. hostmaster.one.example. 1 3600 600 86400 60
two.example. 300 IN NS ns.one.example.
target.two.example. 300 IN A 192.0.2.3
""".format(big=" ".join(['"' + "x" * 250 + '"'] * 6))


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    zone = tmp_path_factory.mktemp("zone") / "zones"
    zone.write_text(ZONES)
    with started(zone) as process:
        yield int(process.stdout.readline())
        process.stdin.close()
        assert process.wait(5) == 0


def started(zone: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, str(EXAMPLES / "responder.py"), "--zone", str(zone)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def ask(port: int, name: str, rdtype: str, *, tcp: bool = False, payload: int | None = None) -> dns.message.Message:
    edns = {} if payload is None else {"use_edns": 0, "payload": payload}
    query = dns.message.make_query(name, rdtype, **edns)
    send = dns.query.tcp if tcp else dns.query.udp
    return send(query, "127.0.0.1", port=port, timeout=5)


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize(
    ("name", "rdtype", "rcode", "answers"),
    [
        ("ns.one.example", "A", "NOERROR", 1),
        ("NS.ONE.example", "A", "NOERROR", 1),
        ("ns.one.example", "AAAA", "NOERROR", 0),
        ("b.c.one.example", "A", "NOERROR", 0),
        ("no.one.example", "A", "NXDOMAIN", 0),
        ("alias.one.example", "A", "NOERROR", 2),
        ("alias.one.example", "MX", "NOERROR", 1),
        ("away.one.example", "A", "NOERROR", 1),
        ("loop.one.example", "A", "NOERROR", 1),
        ("elsewhere.example", "A", "REFUSED", 0),
    ],
)
def test_answers(port, name, rdtype, rcode, answers, tcp):
    response = ask(port, name, rdtype, tcp=tcp)
    assert dns.rcode.to_text(response.rcode()) == rcode
    assert sum(len(rrset) for rrset in response.answer) == answers
    assert bool(response.flags & dns.flags.AA) == (rcode != "REFUSED")
    if answers == 0 and rcode != "REFUSED":
        assert response.authority[0].rdtype == dns.rdatatype.SOA


@pytest.mark.parametrize(("payload", "cut"), [(None, True), (512, True), (4096, True)])
def test_what_does_not_fit_is_cut_and_whole_over_tcp(port, payload, cut):
    """1,500 octets fit no datagram of ours, however large the asker's buffer."""
    response = ask(port, "big.one.example", "TXT", payload=payload)
    assert bool(response.flags & dns.flags.TC) == cut
    assert not response.answer
    whole = ask(port, "big.one.example", "TXT", tcp=True)
    assert sum(len(s) for s in whole.answer[0][0].strings) == 1500


def test_over_tcp_the_payload_that_a_question_allows_for_udp_is_no_limit(port):
    response = ask(port, "big.one.example", "TXT", tcp=True, payload=1232)
    assert len(response.answer[0][0].strings) == 6


def test_rubbish_is_survived(port):
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for rubbish in (b"", b"\x00" * 5, b"\xff" * 40):
            sender.sendto(rubbish, ("127.0.0.1", port))
    assert ask(port, "ns.one.example", "A").answer


def test_sigterm_ends_it_quietly(tmp_path):
    zone = tmp_path / "zones"
    zone.write_text(ZONES)
    with started(zone) as process:
        process.stdout.readline()
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(5) == 0


def test_a_background_job_of_a_shell_stays(tmp_path):
    """A shell gives a job in the background ``/dev/null`` as its input; that end of file stops nothing."""
    command = [sys.executable, str(EXAMPLES / "responder.py"), "--zone", str(EXAMPLES / "zone.example")]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        port = int(process.stdout.readline())
        assert ask(port, "gmail.com", "MX").answer
        process.terminate()
        assert process.wait(5) == 0


def test_a_zone_that_cannot_be_read_is_named(tmp_path):
    zone = tmp_path / "broken"
    zone.write_text("$ORIGIN one.example.\none.example. 300 IN NONSENSE\n")
    command = [sys.executable, str(EXAMPLES / "responder.py"), "--zone", str(zone)]
    done = subprocess.run(command, capture_output=True, timeout=10, check=False)
    assert done.returncode == 1
    assert str(zone) in done.stderr.decode()
