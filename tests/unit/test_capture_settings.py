"""Which configuration applies, and which is not trusted."""

import os
from pathlib import Path

import pytest

from deliverability.capture.settings import FILE_NAME, load
from deliverability.errors import CannotLookError

COMMAND = '[[log]]\nname = "a"\ncommand = ["cat", "/x"]\n'


@pytest.fixture
def place(tmp_path):
    """A working directory, a home and an ``/etc`` of our own."""
    for name in ("here", "home/.config/deliverability", "xdg/deliverability", "etc"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def _write(path: Path, hosts: str, mode: int = 0o600) -> Path:
    path.write_text(f'[own]\nhosts = ["{hosts}"]\n', encoding="utf-8")
    path.chmod(mode)
    return path


def _load(place, explicit=None, *, xdg=False):
    environ = {"HOME": str(place / "home")} | ({"XDG_CONFIG_HOME": str(place / "xdg")} if xdg else {})
    return load(explicit, place / "here", environ, (place / "etc" / FILE_NAME,))


def _hosts(settings):
    return set(settings.configuration.own_hosts)


def test_nothing_is_there(place):
    settings = _load(place)
    assert settings.configuration is None
    assert settings.notes == ()


def test_the_order_is_config_then_here_then_xdg_then_etc(place):
    _write(place / "etc" / FILE_NAME, "etc.example", 0o644)
    assert _hosts(_load(place)) == {"etc.example"}
    _write(place / "home/.config/deliverability" / FILE_NAME, "home.example")
    assert _hosts(_load(place)) == {"home.example"}
    _write(place / "xdg/deliverability" / FILE_NAME, "xdg.example")
    assert _hosts(_load(place, xdg=True)) == {"xdg.example"}
    _write(place / "here" / FILE_NAME, "here.example")
    assert _hosts(_load(place, xdg=True)) == {"here.example"}
    explicit = _write(place / "mine.toml", "mine.example", 0o666)
    settings = _load(place, explicit, xdg=True)
    assert _hosts(settings) == {"mine.example"}
    assert settings.configuration.origin == str(explicit)


def test_a_relative_xdg_directory_is_ignored(place):
    _write(place / "home/.config/deliverability" / FILE_NAME, "home.example")
    environ = {"HOME": str(place / "home"), "XDG_CONFIG_HOME": "xdg"}
    assert _hosts(load(None, place / "here", environ, ())) == {"home.example"}


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_here_that_others_can_write_is_passed_over_and_said(place, mode):
    _write(place / "here" / FILE_NAME, "evil.example", mode)
    _write(place / "etc" / FILE_NAME, "etc.example", 0o644)
    settings = _load(place)
    assert _hosts(settings) == {"etc.example"}
    assert len(settings.notes) == 1
    assert "others can write it (chmod go-w)" in settings.notes[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_here_of_another_user_is_passed_over_and_said(place):
    os.chown(_write(place / "here" / FILE_NAME, "evil.example"), 65534, -1)
    settings = _load(place)
    assert settings.configuration is None
    assert "user 65534 owns it, not you" in settings.notes[0]


def test_a_link_here_is_passed_over_whatever_it_points_to(place):
    (place / "here" / FILE_NAME).symlink_to(_write(place / "mine.toml", "mine.example"))
    settings = _load(place)
    assert settings.configuration is None
    assert "it is not a regular file" in settings.notes[0]


def test_a_broken_file_that_applies_is_an_error_and_not_passed_over(place):
    (place / "here" / FILE_NAME).write_text("[own]\nhost = []\n", encoding="utf-8")
    _write(place / "etc" / FILE_NAME, "etc.example")
    (place / "here" / FILE_NAME).chmod(0o600)
    with pytest.raises(CannotLookError, match=r"own\.host: unknown key"):
        _load(place)


def test_the_explicit_file_must_be_there_and_readable(place):
    with pytest.raises(CannotLookError, match=r"none\.toml: No such file or directory"):
        _load(place, place / "none.toml")
    with pytest.raises(CannotLookError, match=r"Is a directory|not a regular file"):
        _load(place, place / "etc")
    os.mkfifo(place / "fifo")
    with pytest.raises(CannotLookError, match="not a regular file"):
        _load(place, place / "fifo")


def test_text_that_is_no_text(place):
    (place / "bad.toml").write_bytes(b"# fine\n# \xff\n")
    with pytest.raises(CannotLookError, match="line 2: not UTF-8"):
        _load(place, place / "bad.toml")
    (place / "big.toml").write_bytes(b"#" * (1 << 20) + b"#")
    with pytest.raises(CannotLookError, match="larger than 1 MiB"):
        _load(place, place / "big.toml")


def test_commands_come_from_config_and_etc_only(place):
    for path in (place / "mine.toml", place / "etc" / FILE_NAME, place / "xdg/deliverability" / FILE_NAME):
        path.write_text(COMMAND, encoding="utf-8")
    assert _load(place).configuration.logs[0].command == ("cat", "/x")
    assert _load(place, place / "mine.toml").configuration.logs[0].command == ("cat", "/x")
    with pytest.raises(CannotLookError, match="may not run programs"):
        _load(place, xdg=True)


def test_log_paths_are_taken_from_the_files_directory(place):
    path = place / "mine.toml"
    path.write_text('[[log]]\nname="a"\npath="logs/mail.log"\n[[log]]\nname="b"\npath="/var/x"\n', encoding="utf-8")
    assert [log.path for log in _load(place, path).configuration.logs] == [str(place / "logs/mail.log"), "/var/x"]


@pytest.mark.parametrize("key", ["log_timezone", "[report]\ntimezone"])
def test_a_zone_must_exist(place, key):
    path = place / "mine.toml"
    path.write_text(f'{key} = "Asia/Taipeh"\n', encoding="utf-8")
    with pytest.raises(CannotLookError, match="no time zone 'Asia/Taipeh' is known"):
        _load(place, path)
    path.write_text(f'{key} = "Asia/Taipei"\n', encoding="utf-8")
    assert "Asia/Taipei" in repr(_load(place, path).configuration)
