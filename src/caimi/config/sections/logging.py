"""`[logging]`: how services log."""

from __future__ import annotations

from caimi.config.section import Section
from caimi.logs import LogFormat, LogLevel


class LoggingSection(Section):
    """How services log: lines for people, or JSON lines; and from which level on."""

    format: LogFormat = "text"
    level: LogLevel = "info"
