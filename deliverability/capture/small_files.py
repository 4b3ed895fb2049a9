"""Small files that somebody names: a logo, a bundle.  Read whole, within bounds."""

from pathlib import Path

from deliverability.errors import CannotLookError, printable


def read_small(path: str, limit: int) -> bytes:
    """At most ``limit`` octets and one more, so that the caller sees what is too large.

    Raises :class:`~deliverability.errors.CannotLookError`.
    """
    try:
        with Path(path).open("rb") as file:
            return file.read(limit + 1)
    except (OSError, ValueError) as problem:  # ValueError: a NUL in the path
        said = problem.strerror if isinstance(problem, OSError) else "is not a path"
        raise CannotLookError(f"{printable(path)}: {said}") from problem
