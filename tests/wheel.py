"""Build the wheel, install it into an environment of its own, and run it away from the checkout.

The last step of ``make test``: what users install is what is tried.  Exits non-zero on the first thing that fails.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMAND_SUBDIR = "Scripts" if os.name == "nt" else "bin"


def run(*command: str | Path, cwd: Path, status: int = 0) -> str:
    """Run and return stdout; anything but ``status`` ends the test with what was printed."""
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != status:
        sys.exit(f"{command}: exit status {done.returncode}, not {status}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def main() -> None:
    """Build, install, run."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", place, ROOT, cwd=place)
        (wheel,) = place.glob("*.whl")
        venv.create(place / "venv", with_pip=True)
        binaries = place / "venv" / COMMAND_SUBDIR
        pip = (binaries / "python", "-m", "pip", "--quiet", "--disable-pip-version-check", "install")
        run(*pip, "-c", ROOT / "constraints.txt", wheel, cwd=place)
        if sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64"):
            run(
                binaries / "python", "-c", "import hyperscan, isal, stringzilla, zstandard", cwd=place
            )  # ADR 9: without any extra
        command = binaries / "deliverability"
        print(run(command, "--version", cwd=place).strip(), "from", wheel.name)
        for asked in ("report", "trace", "check", "init"):
            assert "--help" in run(command, asked, "--help", cwd=place)
        log = ROOT / "examples" / "exim" / "mainlog"
        notice = ("--log", log, "--to", "mei.lin@gmail.com", "--offline")
        for lang in ("en", "zh-Hant-TW"):
            page = run(command, "report", *notice, "--lang", lang, "--format", "html", cwd=place, status=3)
            assert f'lang="{lang}"' in page
            assert "INV-20411" in run(command, "report", *notice, "--lang", lang, cwd=place, status=3)
        told = json.loads(run(command, "trace", *notice, "--format", "json", cwd=place, status=3))
        assert told["messages"][0]["deliveries"][0]["attempts"][0]["reply"]["code"] == 250
    print("the wheel works")


if __name__ == "__main__":
    main()
