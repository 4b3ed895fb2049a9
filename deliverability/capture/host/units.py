"""What runs ``deliverability ingest`` again and again: a systemd service with its timer, or a line for cron.

Written where the user says, or shown; nothing is installed or started.
"""

import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from deliverability.errors import UsageError, printable

NAME = "deliverability-ingest"
ARCHIVE = Path("/var/lib/deliverability/archive.db")
KEEP = "400d"
MINUTES = 15
SYSTEMD = Path("/run/systemd/system")  # sd_booted(3)


@dataclass(frozen=True, slots=True)
class Job:
    """A run of ``ingest`` with a configuration."""

    program: tuple[str, ...]
    config: Path
    archive: Path = ARCHIVE

    @property
    def words(self) -> tuple[str, ...]:
        """The command and its arguments."""
        options = ("--config", str(self.config), "--archive", str(self.archive), "--keep", KEEP)
        return (*self.program, "ingest", *options)


def job(config: Path) -> Job:
    """The job for a configuration, run by the program that runs now; raises :class:`UsageError` for an odd path."""
    found = shutil.which("deliverability")
    program = (found,) if found else (sys.executable, "-m", "deliverability")
    for word in (*program, str(config)):
        if not word.isprintable():
            raise UsageError(f"{printable(word)!r}: no path that a unit or a cron line could name")
    return Job(tuple(program), config.absolute())


def service(one: Job) -> str:
    """``systemd.service(5)``: one run, which may write its archive and read everything else."""
    return f"""\
# Keeps what the mail logs hold before they rotate away.
[Unit]
Description=Mail logs into the archive of deliverability
Documentation=man:systemd.timer(5)
After=local-fs.target

[Service]
Type=oneshot
ExecStart={" ".join(map(_systemd_word, one.words))}
UMask=0077
StateDirectory=deliverability
StateDirectoryMode=0700
Nice=10
IOSchedulingClass=idle
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=strict
ProtectHome=read-only
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictSUIDSGID=yes
"""


def timer() -> str:
    """``systemd.timer(5)``: often enough that no rotation is missed, and after a time without power at once."""
    return f"""\
[Unit]
Description=Every {MINUTES} minutes: mail logs into the archive of deliverability

[Timer]
OnCalendar=*:0/{MINUTES}
RandomizedDelaySec=60
Persistent=true

[Install]
WantedBy=timers.target
"""


def cron_line(one: Job) -> str:
    """A line for ``/etc/cron.d``; cron mails what goes to standard error, and takes ``%`` for a line end."""
    command = shlex.join(one.words).replace("%", "\\%")
    return f"*/{MINUTES} * * * * root umask 077; {command} >/dev/null"


def files(one: Job) -> dict[str, str]:
    """The files for ``/etc/systemd/system``, by name."""
    return {f"{NAME}.service": service(one), f"{NAME}.timer": timer()}


def offer(one: Job, systemd: Path = SYSTEMD) -> list[str]:
    """How to have the logs kept, for the terminal."""
    said = ["To keep the logs before they rotate away, run `deliverability ingest` again and again."]
    if systemd.is_dir():
        said.append(
            "systemd: `deliverability init --units DIR` writes a service and a timer; then: systemctl enable --now"
        )
    said.append(f"cron: {cron_line(one)}")
    return [printable(line, 2_000) for line in said]


def _systemd_word(word: str) -> str:
    r"""A word of ``ExecStart=``: ``%`` and ``$`` mean something there, quotes and backslashes too (systemd.service(5))."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if escaped != word or " " in word or "'" in word else word
