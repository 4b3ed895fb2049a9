"""The forms that an answer can take: one renderer each."""

from deliverability import plugins
from deliverability.errors import UsageError
from deliverability.evidence.plugin import Renderer


def renderer_of(form: str) -> Renderer:
    """The renderer of a form; raises :class:`UsageError` for one that there is none of."""
    try:
        renderer: Renderer = plugins.load("reports", form)
    except LookupError as problem:
        raise UsageError(f"--format: {problem}") from None
    return renderer
