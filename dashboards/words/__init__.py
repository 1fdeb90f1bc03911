"""Screen text: a catalogue a language, the same keys in each, and nothing said in code.

A language is a folder with one file for each room of the product.

A key that a catalogue lacks is an error and never an empty string, so that no screen goes out with
a hole in it. Dates and numbers are words too: how they are written differs by language.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from string import Formatter
from typing import Literal

from layers.numbers import format_number

Language = Literal["zh", "en"]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class MissingWordsError(KeyError):
    """A key is not in the catalogue; the message names the key and the language."""


class DoubleWordsError(ValueError):
    """Two files of a language say the same key; the message names the key and the files."""


@cache
def _catalogue(language: str) -> dict[str, str]:
    """All files of a language as one catalogue; each room of the product has a file."""
    words: dict[str, str] = {}
    origin: dict[str, str] = {}
    folder = resources.files(__name__).joinpath(language)
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
        for key in found.keys() & words.keys():
            raise DoubleWordsError(
                f"{key} is in {origin[key]} and in {language}/{file.name}: keep one"
            )
        words |= found
        origin |= dict.fromkeys(found, f"{language}/{file.name}")
    return words


class Words:
    """The words of one language; call it with a key and values for a sentence."""

    def __init__(self, language: str) -> None:
        self.language: Language = "en" if language == "en" else "zh"
        self._words = _catalogue(self.language)

    def __call__(self, key: str, **values: object) -> str:
        if key not in self._words:
            raise MissingWordsError(f"{key} is not in {self.language}: add it to both languages")
        return self._words[key].format(**values) if values else self._words[key]

    def has(self, key: str) -> bool:
        """Whether there are words for `key`."""
        return key in self._words

    def starting(self, prefix: str) -> dict[str, str]:
        """All words whose key begins with `prefix`, keyed by the rest; for the browser's part."""
        return {
            key.removeprefix(prefix): text
            for key, text in self._words.items()
            if key.startswith(prefix)
        }

    def number(self, value: float, digits: int = 0) -> str:
        """12,345; with `digits` behind the point; a dash for no number."""
        if value != value:  # NaN
            return self("none")
        return f"{value:,.{digits}f}"

    def short_number(self, value: float) -> str:
        """12,345; in Chinese 12.3万 from 100,000 on: the one format of `layers.numbers`."""
        if value != value:  # NaN
            return self("none")
        return format_number(value, self.language)

    def date(self, moment: datetime) -> str:
        """2026年11月21日 星期六, or Saturday 21 November 2026."""
        return self(
            "date.full",
            year=moment.year,
            month=self(f"month.{moment.month}"),
            day=moment.day,
            weekday=self.weekday(moment.weekday()),
        )

    def weekday(self, number: int) -> str:
        """The name of a day of the week, 0 for Monday."""
        return self(f"weekday.{WEEKDAYS[number]}")

    def moment(self, then: datetime, now: datetime) -> str:
        """14:09 today, 11-20 14:09 on another day; both in the zone they carry."""
        if then.date() == now.date():
            return f"{then:%H:%M}"
        return f"{then:%m-%d %H:%M}" if then.year == now.year else f"{then:%Y-%m-%d %H:%M}"

    def span(self, length: timedelta | float) -> str:
        """How long, in its two largest units: 3 天 4 小时, 12 分钟, 40 秒. A float is seconds."""
        total = length.total_seconds() if isinstance(length, timedelta) else float(length)
        seconds = max(0, int(total))
        if seconds < 60:
            return self("span.seconds", n=seconds)
        minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
        if minutes < 60:
            return self("span.minutes", n=minutes)
        if hours < 24:
            rest = minutes % 60
            one = self("span.hours", n=hours)
            return f"{one} {self('span.minutes', n=rest)}" if rest and hours < 10 else one
        rest = hours % 24
        one = self("span.days", n=days)
        return f"{one} {self('span.hours', n=rest)}" if rest and days < 10 else one


def placeholders(text: str) -> set[str]:
    """The names in braces that a sentence expects."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}
