"""The main job on an embedded default: one "I never got it", answered from a real Exim and a real Postfix log.

Beside it the same answer without any log: a notice is signed, sent and recorded by the mailer (``sending.py``).
Offline: a small name server on loopback holds the names that are needed.  ``make demo`` runs this.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sending
from cryptography.hazmat.primitives.asymmetric import rsa

HERE = Path(__file__).resolve().parent
OUTPUT = HERE.parent / "demo-output"
EXPECTED = (0, 1, 3)  # accepted, refused, still trying: what the logs hold


@contextmanager
def responder(more: str) -> Iterator[str]:
    """The demo's name server, as ``IP:PORT``, for as long as the block lasts; ``more`` are records of today."""
    with tempfile.NamedTemporaryFile("w", suffix=".zone", encoding="utf-8") as zone:
        text = (HERE / "zone.example").read_text(encoding="utf-8")
        origin = "$ORIGIN example.\n"
        soa, _, rest = text.partition(origin)[2].partition("\n")
        zone.write(f"{text.partition(origin)[0]}{origin}{soa}\n{more}{rest}")
        zone.flush()
        with _running(zone.name) as server:
            yield server


@contextmanager
def _running(zone: str) -> Iterator[str]:
    command = [sys.executable, str(HERE / "responder.py"), "--zone", zone, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().strip()
            if not port.isdecimal():
                sys.exit("the demo's name server did not start")
            yield f"127.0.0.1:{port}"
        finally:
            server.terminate()


def run(*arguments: str, lines: int | None = None) -> None:
    """Run the command as a user would, showing what is typed, and the first ``lines`` of what it answers."""
    typed = " ".join(f"'{a}'" if " " in a else a for a in arguments)
    print(f"\n$ deliverability {typed}\n", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "deliverability", *arguments], check=False, cwd=HERE, stdout=subprocess.PIPE
    )
    status, shown = done.returncode, done.stdout.decode("utf-8").splitlines()
    print("\n".join(shown[:lines]))
    if lines is not None and len(shown) > lines:
        print(f"… ({len(shown) - lines} more lines)")
    print(f"(exit status {status})", flush=True)
    if status not in EXPECTED:
        sys.exit(status)


def main() -> None:
    """Show the report, its two languages, a timeline and a domain check."""
    OUTPUT.mkdir(exist_ok=True)
    english, chinese = OUTPUT / "notice.en.html", OUTPUT / "notice.zh-Hant-TW.html"
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    sent = OUTPUT / "sent.zh-Hant-TW.html"
    with responder(sending.names(key)) as server:
        dns = ("--nameserver", server)
        notice = (
            "--log",
            "exim/mainlog",
            "--to",
            "mei.lin@gmail.com",
            "--message",
            "notice.eml",
            "--helo",
            "out1.hosting.example",
            *dns,
        )
        run("report", *notice)
        run("report", *notice, "--lang", "zh-Hant-TW", "--format", "html", "-o", str(chinese))
        run("report", *notice, "--lang", "en", "--format", "html", "-o", str(english))
        run("report", "--log", "postfix/mail.log", "--to", "hsu@hinet.example", "--lang", "zh-Hant-TW", *dns, lines=24)
        run("trace", "--log", "exim/mainlog", "--to", "ting.huang@corp.example", *dns)
        run(
            "check",
            "hosting.example",
            "--selector",
            "s2026",
            "--from-ip",
            "203.0.113.25",
            "--helo",
            "out1.hosting.example",
            *dns,
        )
        if sys.platform == "linux":  # elsewhere 127.0.0.25 is no address of this machine
            sending.show(run, key, server, sent)
    print(f"\nThe report to open in a browser:\n  {english}\n  {chinese}")
    if sent.exists():
        print(f"The one without a log, from what the mailer recorded:\n  {sent}")


if __name__ == "__main__":
    main()
