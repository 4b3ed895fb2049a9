"""The main job on an embedded default: one "I never got it", answered from a real Exim and a real Postfix log.

Offline: a small name server on loopback holds the names that the logs need.  ``make demo`` runs this.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUTPUT = HERE.parent / "demo-output"
EXPECTED = (0, 1, 3)  # accepted, refused, still trying: what the logs hold


@contextmanager
def responder() -> Iterator[str]:
    """The demo's name server, as ``IP:PORT``, for as long as the block lasts."""
    command = [sys.executable, str(HERE / "responder.py"), "--zone", str(HERE / "zone.example"), "--port", "0"]
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
    with responder() as server:
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
    print(f"\nThe report to open in a browser:\n  {english}\n  {chinese}")


if __name__ == "__main__":
    main()
