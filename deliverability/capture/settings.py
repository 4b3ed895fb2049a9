"""Find and read ``deliverability.toml``: ``--config``, the working directory, XDG, ``/etc`` (DESIGN §8).

A file in the working directory counts only if the caller owns it and nobody else can write it: whoever can place a
file in a shared directory must not decide whose servers are called ours.  Programs to run are accepted only from
``--config`` and ``/etc``.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from deliverability.config import MAX_SIZE, Configuration, LogSource, parse
from deliverability.errors import CannotLookError, printable

FILE_NAME = "deliverability.toml"
SYSTEM = (Path("/etc/deliverability") / FILE_NAME, Path("/etc") / FILE_NAME)


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration that applies, and what was passed over on the way to it."""

    configuration: Configuration | None
    """``None``: there is no configuration, and the defaults apply."""
    notes: tuple[str, ...] = ()
    """A sentence for each file that was there and was not used."""


def load(explicit: Path | None, cwd: Path, environ: Mapping[str, str], system: tuple[Path, ...] = SYSTEM) -> Settings:
    """Read the first configuration that applies; ``explicit`` is the file of ``--config`` and must exist.

    Raises :class:`CannotLookError` when the file that applies cannot be read or understood: falling back to another
    one would answer with somebody else's settings.
    """
    if explicit is not None:
        return Settings(_read(explicit, commands_allowed=True))
    notes: list[str] = []
    here = cwd / FILE_NAME
    if _exists(here):
        distrust = _distrust(here)
        if distrust is None:
            return Settings(_read(here, commands_allowed=False, owned=True))
        notes.append(f"{printable(str(here))} was ignored: {distrust}; use --config to read it all the same")
    personal = _personal(environ)
    if personal is not None and _exists(personal):
        return Settings(_read(personal, commands_allowed=False), tuple(notes))
    for path in system:
        if _exists(path):
            return Settings(_read(path, commands_allowed=True), tuple(notes))
    return Settings(None, tuple(notes))


def _personal(environ: Mapping[str, str]) -> Path | None:
    # XDG Base Directory Specification: a relative path in the variable is to be ignored.
    base = environ.get("XDG_CONFIG_HOME", "")
    if base.startswith("/"):
        return Path(base) / "deliverability" / FILE_NAME
    home = environ.get("HOME", "")
    return Path(home) / ".config" / "deliverability" / FILE_NAME if home.startswith("/") else None


def _exists(path: Path) -> bool:
    """Whether something is there; what hides behind a closed directory is not taken for absent."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as problem:
        raise CannotLookError(
            f"{printable(str(path))}: {problem.strerror}; name a configuration with --config"
        ) from problem
    return True


def _distrust(path: Path) -> str | None:
    """Why a file of the working directory does not count, or ``None`` if it does."""
    try:
        status = path.lstat()
    except OSError as problem:
        return str(problem.strerror)
    if not stat.S_ISREG(status.st_mode):
        return "it is not a regular file"
    return _distrust_status(status)


def _distrust_status(status: os.stat_result) -> str | None:
    if status.st_uid != os.geteuid():
        return f"user {status.st_uid} owns it, not you"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others can write it (chmod go-w)"
    return None


def _read(path: Path, *, commands_allowed: bool, owned: bool = False) -> Configuration:
    shown = printable(str(path))
    try:
        # Never wait for a FIFO, and (for the working directory) never follow a link that came after the look.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise CannotLookError(f"{shown}: not a regular file; give a configuration file")
            if owned and (distrust := _distrust_status(status)):
                raise CannotLookError(f"{shown}: changed while it was opened: {distrust}")
            content = stream.read(MAX_SIZE + 1)
    except OSError as problem:
        raise CannotLookError(f"{shown}: {problem.strerror}; give a configuration that can be read") from problem
    if len(content) > MAX_SIZE:
        raise CannotLookError(f"{shown}: larger than {MAX_SIZE >> 20} MiB; is this a configuration file?")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise CannotLookError(f"{shown}, line {line}: not UTF-8; save the file as UTF-8") from problem
    return _settled(parse(text, str(path), commands_allowed=commands_allowed), path)


def _settled(configuration: Configuration, path: Path) -> Configuration:
    """Log paths taken from the configuration's own directory; zones known to the time zone database."""
    for key, zone in (("log_timezone", configuration.timezone), ("report.timezone", configuration.report.timezone)):
        if zone is not None and zone[0] not in "+-":
            from zoneinfo import ZoneInfo

            try:
                ZoneInfo(zone)
            except (OSError, ValueError, LookupError) as problem:
                advice = "write a name such as Asia/Taipei, or ±HH:MM"
                raise CannotLookError(
                    f"{printable(str(path))}: {key}: no time zone {zone!r} is known; {advice}"
                ) from problem
    return replace(configuration, logs=tuple(_anchored(log, path) for log in configuration.logs))


def _anchored(log: LogSource, path: Path) -> LogSource:
    if log.path is None:
        return log
    return replace(log, path=str(path.absolute().parent / Path(log.path)))
