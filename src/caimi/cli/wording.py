"""Help that reads as it was written: brackets are kept, and a flag takes no value."""

from __future__ import annotations

import re
from copy import copy
from shutil import get_terminal_size
from typing import Any, Final

from rich.markup import escape
from rich.text import Text

_KINDS: Final = {"str": "text", "int": "number", "float": "number"}
_FRAMED_WIDTH: Final = 60
_KEPT: Final = re.compile(r"\\(\[/?bold\])")


def literal(text: str | None) -> str | None:
    """Give help as rich shows it word for word: only ``[bold]`` is markup, no other bracket is."""
    return None if text is None else _KEPT.sub(r"\1", escape(text))


def worded(command: Any) -> Any:  # noqa: ANN401 - typer carries its own click
    """Mend a command's help, and that of all commands below it, once."""
    command.help = literal(command.help)
    for parameter in command.params:
        if getattr(parameter, "help", None):
            parameter.help = literal(parameter.help + _choices(parameter))
    every = command.get_params
    command.get_params = lambda ctx: [unvalued(parameter) for parameter in every(ctx)]
    framed = command.format_help
    command.format_help = lambda ctx, formatter: write_help(command, framed, ctx, formatter)
    for child in getattr(command, "commands", {}).values():
        worded(child)
    return command


def write_help(command: Any, framed: Any, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - see above
    """Write help in frames, or without them where a terminal is so narrow that they cut names."""
    if get_terminal_size().columns >= _FRAMED_WIDTH:
        framed(ctx, formatter)
        return
    formatter.width = get_terminal_size().columns
    bare = copy(command)
    bare.rich_markup_mode = None
    bare.help = _bare(command.help)
    bare.get_params = lambda ctx: [_bare_parameter(each) for each in command.get_params(ctx)]
    type(command).format_help(bare, ctx, formatter)


def _bare_parameter(parameter: Any) -> Any:  # noqa: ANN401 - see above
    bare = copy(parameter)
    if getattr(bare, "help", None):
        bare.help = _bare(bare.help)
    return bare


def _bare(text: str | None) -> str | None:
    return None if text is None else Text.from_markup(text).plain


def unvalued(parameter: Any) -> Any:  # noqa: ANN401 - see above
    """Have a flag say nothing of a type, since it takes no value, and others in people's words."""
    if getattr(parameter, "is_flag", False):
        parameter.display_type_rich = lambda ctx: None
    elif parameter.type_descriptor.is_choice:
        parameter.display_type_rich = lambda ctx: "<name>"
    else:
        parameter.display_type_rich = lambda ctx: _in_words(parameter.display_type(ctx))
    return parameter


def _choices(parameter: Any) -> str:  # noqa: ANN401 - see above
    kind = parameter.type_descriptor
    names = [str(choice) for choice in kind.choices or ()] if kind.is_choice else []
    return f" One of: {', '.join(names)}." if names else ""


def _in_words(kind: str) -> str:
    bare = re.sub(r"^<(list\[)?|( range)?\]?>$", "", kind)
    return f"<{_KINDS.get(bare, bare)}>"
