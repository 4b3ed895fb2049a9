"""Each framework is known to one file alone; whoever does not use it never loads it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import deliverability

PACKAGE = Path(deliverability.__file__).parent
ONLY = {"django": "django", "anymail": "anymail", "flask": "flask_mail", "flask_mail": "flask_mail"}
NOWHERE = {"celery", "fastapi_mail", "fastapi", "gunicorn", "aiosmtpd"}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_a_framework_is_imported_in_its_own_file_alone() -> None:
    found = {
        (name, path.relative_to(PACKAGE).as_posix())
        for path in PACKAGE.rglob("*.py")
        for name in imported(path)
        if name in ONLY or name in NOWHERE
    }
    assert found == {(name, f"contrib/{file}.py") for name, file in ONLY.items()}


@pytest.mark.parametrize("module", ["deliverability", "deliverability.api", "deliverability.contrib.smtplib"])
def test_nothing_else_loads_one(module: str) -> None:
    program = f"import sys, {module}; print(*sys.modules.keys() & { ({*ONLY, *NOWHERE})!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
