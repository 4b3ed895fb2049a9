"""The demo's name server with a zone of the test's own."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RESPONDER = Path(__file__).resolve().parents[2] / "examples/responder.py"
HEAD = (
    "$ORIGIN example.\nexample. 300 IN SOA ns.example. h.example. 1 3600 600 86400 60\nexample. 300 IN NS ns.example.\n"
)


@contextmanager
def names(records: str) -> Iterator[str]:
    """``IP:PORT`` of a name server that has these records below ``example.``"""
    with tempfile.TemporaryDirectory() as folder:
        zone = Path(folder) / "zone"
        zone.write_text(HEAD + "\n".join(line.strip() for line in records.strip().splitlines()) + "\n")
        command = [sys.executable, str(RESPONDER), "--zone", str(zone), "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as server:
            assert server.stdout
            try:
                yield f"127.0.0.1:{server.stdout.readline().strip()}"
            finally:
                server.terminate()
