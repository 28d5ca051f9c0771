"""Days as documents write them: «15 марта 2026 г.», 15.03.2026, 2026-03-15, March 15, 2026."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

_MONTHS = (
    ("янв", "jan"),
    ("фев", "feb"),
    ("мар", "mar"),
    ("апр", "apr"),
    ("ма[йя]", "may"),
    ("июн", "jun"),
    ("июл", "jul"),
    ("авг", "aug"),
    ("сен", "sep"),
    ("окт", "oct"),
    ("ноя", "nov"),
    ("дек", "dec"),
)
_NAMED = r"(?P<name>[А-Яа-яA-Za-z]{3,9})\.?"
_DAY, _YEAR = r"(?P<day>[0-9]{1,2})", r"(?P<year>(?:19|20)[0-9]{2})(?![0-9])"
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"(?<![0-9.,/\-]){_DAY}(?P<mark>[./\-])(?P<month>[0-9]{{1,2}})(?P=mark){_YEAR}",
        rf"(?<![0-9.,/\-]){_YEAR}-(?P<month>[0-9]{{2}})-(?P<day>[0-9]{{2}})(?![0-9])",
        rf"(?<![0-9])[«\"“]?{_DAY}[»\"”]?\s{{1,2}}{_NAMED}\s{{1,2}}{_YEAR}",
        rf"(?<![^\W_]){_NAMED}\s{_DAY},\s{_YEAR}",
    )
)


def dates_in(text: str) -> Iterator[tuple[int, int, date]]:
    """The days of a calendar in a text: (start, end, day); days before months, as in Russia."""
    for form in _FORMS:
        for match in form.finditer(text):
            parts = match.groupdict()
            month = int(parts["month"]) if parts.get("month") else month_from(parts["name"])
            if month is None:
                continue
            try:
                yield *match.span(), date(int(parts["year"]), month, int(parts["day"]))
            except ValueError:  # 31.02, 45.15
                continue


def month_from(name: str) -> int | None:
    """The number of a month by how its name begins, in Russian or English; None: it is none."""
    for number, (russian, english) in enumerate(_MONTHS, 1):
        if re.match(f"(?:{russian}|{english})", name, re.IGNORECASE):
            return number
    return None
