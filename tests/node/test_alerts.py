"""Every alert has a runbook entry, and names metrics that a service exports."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from caimi.node.metrics import CertificateMetrics, NodeMetrics, RelayerMetrics, WatcherMetrics
from caimi.node.treasury_metrics import TreasuryMetrics

ROOT = Path(__file__).parents[2]
_RULE = re.compile(r"- alert: (?P<alert>\w+)\n +expr: (?P<expr>.*?)\n +(?:for|labels): ", re.DOTALL)
RULES = [each.groupdict() for each in _RULE.finditer((ROOT / "deploy/alerts.yml").read_text())]
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
_METRIC = re.compile(r"\bcaimi_[a-z_]+")


def exported() -> set[str]:
    every = CollectorRegistry()
    every.register(CertificateMetrics())
    registries: list[CollectorRegistry] = [
        every,
        *(
            kind().registry
            for kind in (NodeMetrics, RelayerMetrics, WatcherMetrics, TreasuryMetrics)
        ),
    ]
    return {
        metric.name + ("_total" if metric.type == "counter" else "")
        for registry in registries
        for metric in registry.collect()
    }


def test_every_rule_of_the_file_is_read() -> None:
    assert len(RULES) == (ROOT / "deploy/alerts.yml").read_text().count("- alert:")


def test_every_alert_has_a_runbook_entry_and_every_entry_an_alert() -> None:
    entries = re.findall(r"^### (\w+)$", RUNBOOK, re.MULTILINE)
    assert sorted(entries) == sorted(rule["alert"] for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_metric_of_a_rule_is_exported(rule: dict[str, str]) -> None:
    named = set(_METRIC.findall(rule["expr"]))
    assert named
    assert named <= exported()


def test_every_metric_that_the_runbook_names_is_exported() -> None:
    assert set(_METRIC.findall(RUNBOOK)) <= exported()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_error_that_a_rule_names_exists(rule: dict[str, str]) -> None:
    errors = (ROOT / "docs/errors.md").read_text()
    assert all(code in errors for code in re.findall(r"CAIMI-[A-Z]\d+", rule["expr"]))
