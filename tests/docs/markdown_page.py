"""Reads of a Markdown page what the documents' tests ask about."""

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^(`{3,}|~{3,})([^\n]*)\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
_NOT_SHELL = {"json", "python", "toml"}
_SPAN = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(
    r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s+(\S+)", re.MULTILINE
)
# Between the commands of one line; what a line's output is sent to counts as another.
_SEPARATOR = re.compile(r"\s(?:&&|\|\|?|;|>>?|&)(?:\s|$)|;\s")
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class MarkdownPage:
    """One page: its links, the anchors of its headings, and what it quotes of a shell."""

    links: list[str]
    anchors: set[str]
    fenced: list[str]
    spans: list[str]

    @classmethod
    def read(cls, path: Path) -> "MarkdownPage":
        text = path.read_text(encoding="utf-8")
        prose = _FENCE.sub("", text)
        plain = _SPAN.sub("", prose)
        return cls(
            links=[first or second for first, second in _LINK.findall(plain)],
            anchors=_anchors(_HEADING.findall(prose)),
            fenced=[
                block for _, kind, block in _FENCE.findall(text) if kind.strip() not in _NOT_SHELL
            ],
            spans=[" ".join(span.split()) for _, span in _SPAN.findall(prose)],
        )

    def commands(self, program: str) -> list[str]:
        """Every use of `program` as a command, in code spans and in lines of code blocks."""
        lines = [
            line.strip().removeprefix("$ ")
            for block in self.fenced
            for line in block.replace("\\\n", " ").splitlines()
        ]
        commands = [
            part.strip() for text in [*lines, *self.spans] for part in _SEPARATOR.split(text)
        ]
        return [command for command in commands if command.split(" ")[0] == program]


def _anchors(headings: list[str]) -> set[str]:
    """Name the headings as GitHub does: lower case, punctuation dropped, repeats numbered."""
    found: set[str] = set()
    for heading in headings:
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        anchor, repeats = slug, 0
        while anchor in found:
            repeats += 1
            anchor = f"{slug}-{repeats}"
        found.add(anchor)
    return found
