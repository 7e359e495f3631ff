"""The command `caimi` itself: what it is made of, and no error without a name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer.core import TyperGroup

from caimi.cli.lazy import LazyCommands
from caimi.cli.output import print_error, print_usage_error
from caimi.cli.table import entries
from caimi.cli.wording import literal, unvalued, write_help
from caimi.errors.base import CaimiError
from caimi.errors.machine import SystemRefused
from caimi.errors.operations import UsageError
from caimi.extras import extra_named

T = TypeVar("T")


class Root(TyperGroup):
    """The whole tree of commands, of which is imported what is called."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - typer's own
        super().__init__(**settings)
        assert not self.commands, "A command is a line of `caimi.cli.table`."
        self._lazy = LazyCommands(entries())
        self.commands = self._lazy  # type: ignore[assignment]
        self.help = literal(self.help)
        self._as_json = False

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - typer carries its own click
        """Give the options of the program itself."""
        return [unvalued(parameter) for parameter in super().get_params(ctx)]

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
        """Write the help, for which no command is imported."""
        outline = self._outline()
        write_help(outline, outline.format_help, ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:  # noqa: ANN401 - as above
        """Offer commands, of which none is imported for that."""
        outline = self._outline()
        return outline.shell_complete(type(ctx)(outline, info_name=ctx.info_name), incomplete)

    def _outline(self) -> TyperGroup:
        outline = TyperGroup(
            name=self.name,
            commands=self._lazy.outlines(),
            rich_markup_mode=self.rich_markup_mode,
            help=self.help,
            params=self.params,
        )
        outline.get_params = self.get_params  # type: ignore[method-assign]
        return outline

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - typer's own
        """Run the command line; what the system refuses outside of a command's work is named."""
        given = kwargs.get("args") or (args[0] if args else None) or sys.argv[1:]
        self._as_json = "--json" in given
        try:
            with extra_named():
                return super().main(*args, **kwargs)
        except CaimiError as error:
            print_error(error, as_json=self._as_json)
        except OSError as error:
            if error.errno is None:
                raise
            print_error(SystemRefused.of(error), as_json=self._as_json)
        sys.exit(1)

    def make_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - typer's own
        """Read the program's own options."""
        return self._told(lambda: super(Root, self).make_context(*args, **kwargs))

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - as above
        """Read a command's words, and run it."""
        return self._told(lambda: super(Root, self).invoke(ctx))

    def _told(self, work: Callable[[], T]) -> T:
        """Where JSON was asked for, tell in JSON what is wrong with the words of the command."""
        try:
            return work()
        except typer.TyperException as error:
            if not self._as_json:
                raise
            at: Any = getattr(error, "ctx", None)
            print_usage_error(
                UsageError(
                    error.format_message(),
                    why=at and at.get_usage(),
                    next_step=at and f"Run `{at.command_path} --help`.",
                )
            )
            raise typer.Exit(error.exit_code) from error
