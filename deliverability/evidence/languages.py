"""The languages in which an answer is given."""

from collections.abc import Mapping

Localized = Mapping[str, str]
"""``text[language]``; ``en`` and ``zh-Hant-TW`` are required."""

LANGUAGES = ("en", "zh-Hant-TW")
