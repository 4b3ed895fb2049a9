"""Inside the private namespace: the real Exim with the settings of ``docs/witness-header.md`` delivers one mail.

Arguments: the work folder, the file with the header field, the lines of the transport.  What the receiving server got stands
in ``got.eml`` afterwards.
"""

import socket
import sys
import threading
from pathlib import Path

import mta_exim
import rig
import stories

MAIL = b"From: renewals@hosting.example\r\nTo: chen@smart.example\r\nSubject: Renewal\r\n\r\nDear customer\r\n"


def receive(listening: socket.socket, into: Path) -> None:
    """One SMTP session, just far enough."""
    connection, _ = listening.accept()
    with connection, connection.makefile("rb") as lines:
        connection.sendall(b"220 mx.example ESMTP\r\n")
        for line in lines:
            verb = line[:4].upper()
            if verb == b"DATA":
                connection.sendall(b"354 go on\r\n")
                got = bytearray()
                for data in lines:
                    if data == b".\r\n":
                        break
                    got += data.removeprefix(b".") if data.startswith(b"..") else data
                into.write_bytes(got)
            connection.sendall(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
            if verb == b"QUIT":
                return


def main(work: Path, header: Path, transport: str) -> None:
    content = header.read_bytes()
    rig.mount_all(work)
    rig.addresses()
    place = Path("/var/lib/deliverability/header")
    rig.run("mount", "-t", "tmpfs", "tmpfs", "/var/lib")
    place.parent.mkdir()
    place.write_bytes(content)
    key = rig.HOME / "dkim.pem"
    (rig.HOME / "public").write_text(rig.make_dkim_key(key))
    own = transport.replace("{", "{{").replace("}", "}}")
    mta_exim.CONFIG = mta_exim.CONFIG.replace(
        "  dkim_domain = hosting.example\n", f"  dkim_domain = hosting.example\n{own}\n", 1
    )
    (rig.HOME / "logs").mkdir()
    exim = mta_exim.Exim(rig.HOME, key)
    listening = socket.create_server((stories.SMARTHOST_IP, 25))
    taking = threading.Thread(target=receive, args=(listening, rig.HOME / "got.eml"), daemon=True)
    taking.start()
    words = (exim.binary, "-odi", "-f", stories.SENDER, "-i", "chen@smart.example")
    rig.run(*words, data=MAIL.replace(b"\r\n", b"\n"))
    taking.join(30)
    (rig.HOME / "selector").write_text(stories.SELECTOR)


main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
