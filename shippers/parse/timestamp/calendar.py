"""Convert parts of a timestamp to moments: guess a missing year, and cache seconds that many lines share. Pure."""

from __future__ import annotations

import calendar
import functools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

DAY = 86_400
"""Seconds. A record is filed under its line's own time if that is no further from the time of reading."""

Moment = tuple[str, int]
"""RFC 3339 in UTC, and the same in milliseconds since 1970."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTH = f"(?:{'|'.join(MONTHS)})"
MONTH_NUMBERS = {month: f"{number:02}" for number, month in enumerate(MONTHS, 1)}

MILLISECONDS = {
    f"{number:0{digits}}": number * 10 ** (3 - digits) for digits in (1, 2, 3) for number in range(10**digits)
}
"""By the first three digits of a fraction of a second, or by fewer if it has fewer."""


def in_closest_year(month_day: str, day: int, in_year: Callable[[int], datetime]) -> datetime:
    """Return the moment in the year that puts it closest to `day`.

    month_day: `MM-DD`.   day: days since 1970.   in_year: returns the moment in a given year.
    """
    now = day * DAY
    this_year = datetime.fromtimestamp(now, UTC).year
    years = (this_year - 1, this_year, this_year + 1)
    moments = [in_year(year) for year in years if month_day != "02-29" or calendar.isleap(year)]
    return min(moments, key=lambda moment: abs(moment.timestamp() - now))


def to_second(read: Callable[..., datetime]) -> Callable[..., Moment | None]:
    """Decorate `read` to return its time as a Moment to the second, and to cache it, because many lines share a second.

    For a time that does not exist, such as one in a 13th month, the decorated function returns None.
    """

    @functools.lru_cache(maxsize=4096)
    def second(*text: Any) -> Moment | None:
        try:
            moment = read(*text).astimezone(UTC)
            return moment.replace(tzinfo=None).isoformat() + "Z", int(moment.timestamp()) * 1000
        except (ValueError, OverflowError):
            return None

    return second


def with_fraction(second: Moment | None, fraction: str | None) -> Moment | None:
    """Add digits of a second to a moment; RFC 3339 keeps nine of them."""
    if second is None or not fraction:
        return second
    return f"{second[0][:-1]}.{fraction[:9]}Z", second[1] + MILLISECONDS[fraction[:3]]
