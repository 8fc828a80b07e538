"""Numbers and times in the words of the page."""

from datetime import datetime

DAY, MONTH, YEAR = 1.0, 30.44, 365.25
INVISIBLE = {code: None for code in (*range(0x00, 0x20), *range(0x7F, 0xA0), *range(0x200B, 0x2010),
                                     *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF)}


def age_in_words(opened_at: datetime, now: datetime) -> str:
    """Say how long ago something was: "today", "3 days ago", "2 years ago"."""
    days = (now - opened_at).total_seconds() / 86_400
    if days < 1:
        return "today" if days >= 0 else "in the future"
    for unit_days, unit in ((YEAR, "year"), (MONTH, "month"), (DAY, "day")):
        if days >= unit_days:
            count = int(days / unit_days)
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "today"


def percentile_in_words(percentile: float) -> str:
    """Write a percentile without claiming more than it tells: never 100."""
    return "99.9+" if percentile >= 99.95 else f"{percentile:.1f}" if percentile >= 90 else f"{percentile:.0f}"


def visible(text: str | None, otherwise: str = "") -> str:
    """Return hostile text without characters that hide or turn what stands beside them."""
    return (text or "").translate(INVISIBLE).strip() or otherwise


def counted(count: int, singular: str) -> str:
    """Write "1 file", "3 files"."""
    return f"{count:,} {singular if count == 1 else singular + 's'}"


def joined(words: list[str]) -> str:
    """Join as in a sentence: "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
