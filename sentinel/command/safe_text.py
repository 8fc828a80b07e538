"""Text from strangers, made harmless for a terminal."""

import unicodedata

HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
ZERO_WIDTH_JOINER, EMOJI_STYLE = "\u200d", "\ufe0f"  # inside emoji; harmless


def visible(text: str, longest: int | None = None) -> str:
    """Write control characters, ANSI escapes and direction marks as visible escapes, on one line.

    `longest` is in characters; what is longer ends with an ellipsis.
    """
    shown = "".join(map(_visible_character, text))
    if longest is not None and len(shown) > longest:
        return shown[:max(0, longest - 1)] + "…"
    return shown


def visible_lines(text: str) -> str:
    """Do the same with a text of several lines, which stay lines."""
    return "\n".join(map(visible, text.split("\n")))


def _visible_character(character: str) -> str:
    if unicodedata.category(character) not in HIDDEN_CATEGORIES or character in (ZERO_WIDTH_JOINER, EMOJI_STYLE):
        return character
    if character in "\n\r\t":
        return " "
    return character.encode("unicode_escape").decode("ascii")
