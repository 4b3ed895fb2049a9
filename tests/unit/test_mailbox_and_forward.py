"""An address with a mailbox of its own that sends a copy on: the page is about the mailbox, not about the copy."""

import subprocess
import sys
from pathlib import Path

import pytest

LOG = """\
2026-08-11 01:35:09 1wtYaL-0000000GRSy-2tQh <= bill@hosting.example U=acct P=local S=2711 id=q1@hosting.example \
T="Invoice" for sales@corp.example
2026-08-11 01:35:10 1wtYaL-0000000GRSy-2tQh => sales <sales@corp.example> R=virtual_user T=dovecot_virtual_delivery \
C="250 2.0.0 <sales@corp.example> X Saved"
2026-08-11 01:35:11 1wtYaL-0000000GRSy-2tQh ** elsewhere@mail.example <sales@corp.example> R=lookuphost T=remote_smtp \
H=mx.mail.example [198.51.100.7]: SMTP error from remote mail server after end of data: 550 5.7.26 unauthenticated
2026-08-11 01:35:11 1wtYaL-0000000GRSy-2tQh Completed
"""


FILED = LOG.replace(
    '=> sales <sales@corp.example> R=virtual_user T=dovecot_virtual_delivery C="250 2.0.0 <sales@corp.example> X Saved"',
    "=> /home/u/mail/corp.example/sales/.Bills/ <sales@corp.example> R=central_user_filter T=virtual_address_directory",
)


def page(folder: Path, language: str, log: str = LOG) -> str:
    path = folder / "mainlog"
    path.write_text(log, "utf-8")
    arguments = ("report", "--log", str(path), "--to", "sales@corp.example", "--tz", "+03:00", "--offline")
    command = (sys.executable, "-m", "deliverability", *arguments, "--format", "text", "--lang", language)
    done = subprocess.run(command, capture_output=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.decode().split())


@pytest.mark.parametrize(
    ("language", "answer", "wrong"),
    [
        ("en", "This message was put into the mailbox sales@corp.example", ("Look there", "mailbox e")),
        ("zh-Hant-TW", "放進信箱 sales@corp.example", ("請到那裡找", "信箱 e")),
    ],
)
def test_the_page_says_in_which_mailbox_it_is(
    tmp_path: Path, language: str, answer: str, wrong: tuple[str, ...]
) -> None:
    told = page(tmp_path, language)
    assert answer in told
    assert not [words for words in wrong if words in told]
    assert "[x]" in told.split(answer, 1)[1]


def test_a_folder_of_that_mailbox_is_no_other_address(tmp_path: Path) -> None:
    assert FILED != LOG
    told = page(tmp_path, "en", FILED)
    assert "put into the mailbox sales@corp.example" in told
    assert "filed it to the folder “Bills”" in told
    assert "Look there" not in told
