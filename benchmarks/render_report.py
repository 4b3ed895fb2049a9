"""One report in each form, process start included, and the same content through WeasyPrint.

``python benchmarks/render_report.py [--weasyprint PYTHON]``: PYTHON is the interpreter of a throw-away environment
with ``weasyprint`` (and ``libharfbuzz-subset0`` from the system, without which it is many times slower).

Modules are compiled beforehand, as they are after ``pip install``; with ``--uncompiled`` those of this package never are,
as in a fresh checkout with ``PYTHONDONTWRITEBYTECODE``.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOG = ROOT / "examples" / "exim" / "mainlog"
FORMS = ("text", "html", "json", "pdf", "png", "sms")
OTHER = (
    "import sys, weasyprint;"
    "weasyprint.HTML(filename=sys.argv[1]).write_pdf(sys.argv[2], pdf_variant='pdf/ua-1', full_fonts=False)"
)


def measured(command: list[str], runs: int, environment: dict[str, str]) -> tuple[float, float, float]:
    """The fastest and the median of several runs, and the least processor time, in seconds; the first is not counted."""
    took, worked = [], []
    subprocess.run(command, capture_output=True, check=False, env=environment)
    for _ in range(runs):
        started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=False, env=environment)
        took.append(time.perf_counter() - started)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        worked.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(took), statistics.median(took), min(worked)


def prepared(folder: str, *, compiled: bool) -> dict[str, str]:
    """The environment of the runs; bytecode is kept in a folder of its own, or is not there at all."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")}
    environment["PYTHONPYCACHEPREFIX"] = str(Path(folder) / "bytecode")
    if not compiled:  # the modules of others have theirs beside them
        shutil.copytree(
            ROOT / "deliverability", Path(folder) / "deliverability", ignore=shutil.ignore_patterns("*.pyc")
        )
        environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": folder, "PYTHONSAFEPATH": "1"}
        del environment["PYTHONPYCACHEPREFIX"]
    return environment


def main() -> None:
    """Print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--weasyprint", metavar="PYTHON")
    options.add_argument("--runs", type=int, default=7)
    options.add_argument("--uncompiled", action="store_true")
    given = options.parse_args()
    print(f"{'lang':12} {'form':10} {'fastest':>9} {'median':>9} {'processor':>10} {'octets':>9}")
    with tempfile.TemporaryDirectory() as folder:
        environment = prepared(folder, compiled=not given.uncompiled)
        for lang in ("en", "zh-Hant-TW"):
            base = [sys.executable, "-m", "deliverability", "report", "--log", str(LOG), "--to", "mei.lin@gmail.com"]
            base += ["--latest", "--offline", "--lang", lang, "--now", "2026-11-25T00:00:00Z"]
            for form in FORMS:
                path = Path(folder) / f"page.{form}"
                extra = ["--link", "https://h.example/r"] if form == "sms" else []
                show(
                    lang,
                    form,
                    measured([*base, "--format", form, *extra, "-o", str(path)], given.runs, environment),
                    path,
                )
            if given.weasyprint:
                path, page = Path(folder) / "other.pdf", Path(folder) / "page.html"
                show(
                    lang,
                    "weasyprint",
                    measured([given.weasyprint, "-c", OTHER, str(page), str(path)], given.runs, environment),
                    path,
                )


def show(lang: str, form: str, took: tuple[float, float, float], path: Path) -> None:
    """One row."""
    size = path.stat().st_size if path.exists() else 0
    print(f"{lang:12} {form:10} {took[0]:8.2f}s {took[1]:8.2f}s {took[2]:9.2f}s {size:9,}")


if __name__ == "__main__":
    main()
