"""``python -m deliverability`` and the installed command."""

import sys


def main() -> None:
    """Run the command line; every exception becomes a sentence and an exit status."""
    from deliverability.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
