"""``python -m deliverability`` and the installed command: every exception becomes a sentence and an exit status.

Exit status 1 is only ever a finding (DESIGN §8); whatever else happens has a status of its own.
"""

import errno
import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from deliverability.errors import (
    AmbiguousError,
    CannotLookError,
    DeliverabilityError,
    TamperedError,
    UsageError,
    printable,
)
from deliverability.terminal.status import ACCEPTED, COULD_NOT_LOOK, INTERNAL, INTERRUPTED, TAMPERED, USAGE
from deliverability.terminal.streams import begin, say, silence_stdout

GARBAGE = 50_000  # objects made, and not yet given up, after which cycles among them are looked for
_MANY = frozenset({"--log", "--to"})


def spread(arguments: list[str]) -> list[str]:
    """``--log a b c`` means ``--log a --log b --log c``: shells expand ``--log /var/log/exim_mainlog*`` that way."""
    out: list[str] = []
    current = ""
    for argument in arguments:
        if current and argument != "-" and argument.startswith("-"):
            current = ""
        if argument in _MANY:
            current = argument
            out.append(argument)
        elif current and out[-1] != current:
            out += [current, argument]
        else:
            out.append(argument)
    return out


class _Failure(NamedTuple):
    status: int
    sentence: str


def _failure(problem: BaseException) -> _Failure:
    match problem:
        case UsageError() | AmbiguousError():
            return _Failure(USAGE, str(problem))
        case TamperedError():
            return _Failure(TAMPERED, str(problem))
        case CannotLookError() | DeliverabilityError():
            return _Failure(COULD_NOT_LOOK, str(problem))
        case MemoryError() | OSError():
            return _Failure(COULD_NOT_LOOK, f"{type(problem).__name__}: {problem}")
        case _:
            return _Failure(INTERNAL, f"a defect of this program: {type(problem).__name__}: {problem}")


def run(arguments: list[str]) -> int:
    """Run one command; returns the exit status, and says on stderr what went wrong."""
    if arguments and arguments[0] in ("report", "trace", "summary", "ingest", "allowlist"):
        arguments = spread(arguments)
    begin(arguments)
    try:
        with _interruptible():
            from deliverability.cli import VERSION, application

            name = "" if not arguments or (arguments[0] == VERSION and len(arguments) > 1) else arguments[0]
            outcome = application(name)(arguments, standalone_mode=False)
        return outcome if isinstance(outcome, int) else ACCEPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseException as problem:  # noqa: BLE001 - exit status 1 is only ever a finding
        return _report_failure(problem)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C stop what is under way: asyncio's own handler would wait for the end of a long look through logs.

    An end that is asked for in another way (``kill``, a terminal that goes away) stops it the same way, so that
    children end and unfinished files go; then this process ends by that signal, as whoever sent it expects.
    """
    by: list[int] = []

    def stop(number: int, _frame: object) -> None:
        by.append(number)
        raise KeyboardInterrupt

    before: dict[signal.Signals, Any] = {}
    with suppress(ValueError):  # not in the main thread
        before[signal.SIGINT] = signal.signal(signal.SIGINT, stop)
        for ending in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            if signal.getsignal(ending) is signal.SIG_DFL:  # else somebody wants another way, such as nohup
                before[ending] = signal.signal(ending, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if by and by[0] != signal.SIGINT:
            os.kill(os.getpid(), by[0])


def _report_failure(problem: BaseException) -> int:
    import typer

    if isinstance(problem, typer.Exit):
        return int(problem.exit_code)
    if isinstance(problem, typer.Abort):
        return INTERRUPTED
    show = getattr(problem, "show", None)  # the parser's own errors; typer brings its class along since 0.27
    if show and hasattr(problem, "format_message"):
        with suppress(OSError):
            show()
        return USAGE
    if isinstance(problem, SystemExit):
        if _is_broken_pipe(problem):
            silence_stdout()
            return ACCEPTED  # only help is written past _write; whoever closed the pipe has read enough
        return problem.code if isinstance(problem.code, int) else USAGE
    failure = _failure(problem)
    say(printable(failure.sentence, 2000))
    if failure.status == INTERNAL and os.environ.get("DELIVERABILITY_DEBUG"):
        import traceback

        traceback.print_exception(problem)
    return failure.status


def _is_broken_pipe(problem: SystemExit) -> bool:
    """The parser turns a broken pipe into exit status 1, which here is a finding."""
    return isinstance(problem.__context__, OSError) and problem.__context__.errno == errno.EPIPE


def main() -> None:
    """Run the command line.

    Starting makes a hundred thousand objects that all stay: looking among them for cycles, on the way and once more at
    the end, would take a seventh of the time of a short command.
    """
    gc.set_threshold(GARBAGE, 10, 10)
    status = run(sys.argv[1:])
    gc.freeze()
    sys.exit(status)


if __name__ == "__main__":
    main()
