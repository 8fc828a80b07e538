"""Lines on a terminal, wrapped with a hanging indent; in a pipe every line stays whole."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

NARROWEST = 20  # characters of text beside the indent


def print_hanging(console: "Console", text: "Text", indent: int = 0) -> None:
    """Print one line; where it is too wide for the terminal, the rest stands below, `indent` further in."""
    from rich.text import Text

    if not console.is_terminal:
        console.print(text, soft_wrap=True, highlight=False)
        return
    first, rest = text.divide([indent]) if 0 < indent < len(text) else (Text(), text)
    width = max(NARROWEST, console.width - indent)
    for position, line in enumerate(rest.wrap(console, width)):
        line.rstrip()
        console.print((first if position == 0 else Text(" " * indent if indent else "")) + line,
                      soft_wrap=True, highlight=False)
