"""Small plots as SVG: lines over one axis, linear or logarithmic, as the other figures look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 24, 56, 52
_COLOURS = ("#0969da", "#9a6700", "#1a7f37", "#cf222e")


@dataclass(frozen=True, slots=True)
class Line:
    """Points (x, y), in the order of x; `name` stands at the right end."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """One picture; `logarithmic` is of x, whose ticks are then the points themselves."""

    title: str
    x: str
    y: str
    lines: tuple[Line, ...]
    logarithmic: bool = False

    def svg(self) -> str:
        """Draw it."""
        xs = [x for line in self.lines for x, _ in line.points]
        top = _ceiling(max(y for line in self.lines for _, y in line.points))
        ticks = sorted(set(xs)) if self.logarithmic else _ticks(_ceiling(max(xs)))
        first, last = self._scaled(ticks[0]), self._scaled(ticks[-1])

        def place(x: float, y: float) -> tuple[float, float]:
            across = (self._scaled(x) - first) / (last - first)
            return (
                _LEFT + across * (WIDTH - _LEFT - _RIGHT),
                HEIGHT - _BOTTOM - y / top * (HEIGHT - _TOP - _BOTTOM),
            )

        drawn = [_text(WIDTH / 2, 28, self.title, "middle", "title")]
        for y in _ticks(top):
            _, at = place(ticks[0], y)
            drawn.append(f'<path class="grid" d="M{_LEFT} {at:.1f}H{WIDTH - _RIGHT}"/>')
            drawn.append(_text(_LEFT - 8, at + 4, f"{y:,.4g}", "end"))
        for x in ticks:
            at, _ = place(x, 0)
            drawn.append(_text(at, HEIGHT - _BOTTOM + 18, f"{x:,.0f}", "middle"))
        drawn.append(_text(_LEFT - 8, _TOP - 12, self.y, "end", "small"))
        drawn.append(_text(WIDTH / 2, HEIGHT - 12, self.x, "middle", "small"))
        for line, colour in zip(self.lines, _COLOURS, strict=False):
            drawn += _line(line, colour, [place(*point) for point in line.points])
        return _HEAD.format(title=escape(self.title)) + "\n".join(drawn) + "\n</svg>\n"

    def _scaled(self, x: float) -> float:
        return math.log10(x) if self.logarithmic else x


def _line(line: Line, colour: str, places: Sequence[tuple[float, float]]) -> list[str]:
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    drawn = [f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>']
    if len(places) < 20:
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
    if line.name:
        x, y = places[-1]
        drawn.append(f'<text x="{x:.1f}" y="{y - 8:.1f}" text-anchor="end" fill="{colour}">')
        drawn[-1] += f"{escape(line.name)}</text>"
    return drawn


def _ceiling(value: float) -> float:
    """Give the next of 1, 2, 2.5 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value)


def _ticks(top: float) -> list[float]:
    return [top * part / 5 for part in range(6)]


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    kind = f' class="{kind}"' if kind else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


_HEAD = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
    f'height="{HEIGHT}" role="img" aria-labelledby="title">\n'
    '<title id="title">{title}</title>\n'
    '<style>text {{ font-family: Helvetica, Arial, "DejaVu Sans", sans-serif; font-size: 12px; '
    "fill: #1f2328; }} .title {{ font-size: 15px; font-weight: bold; }} "
    ".small {{ fill: #57606a; }} .grid {{ stroke: #d0d7de; }}</style>\n"
    f'<rect x="1" y="1" width="{WIDTH - 2}" height="{HEIGHT - 2}" rx="14" fill="#f6f8fa" '
    'stroke="#d0d7de"/>\n'
)
