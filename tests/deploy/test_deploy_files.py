"""The templates under deploy/: whole, hardened, and with commands that exist."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from plain_yaml import documents

from caimi.node.connections import DRAIN_SECONDS
from caimi.node.unit import systemd_unit
from docs.command_words import problem_of

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SERVICES = ("node", "relayer", "treasury", "watcher", "worker")
COMPOSE: dict[str, Any] = documents((DEPLOY / "compose.yaml").read_text())[0]
USER = 10001


def workload(name: str) -> dict[str, Any]:
    *_, found = documents((DEPLOY / "kubernetes" / f"{name}.yaml").read_text())
    assert (found["kind"], found["apiVersion"]) == ("StatefulSet", "apps/v1")
    return found


def told(words: list[str]) -> str:
    return problem_of(shlex.join(["caimi", *words]))


@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_is_what_the_program_writes_and_systemd_takes_it(name: str, tmp_path: Path) -> None:
    unit = (DEPLOY / "systemd" / f"caimi-{name}.service").read_text()
    line = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    assert line
    words = shlex.split(line[1])
    assert told(words[1:]) == ""
    secret = Path(f"/etc/caimi/{name}.passphrase")
    assert unit == systemd_unit(name, words, Path(f"/var/lib/caimi/{name}"), secret)
    stop = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert stop
    assert int(stop[1]) >= 2 * DRAIN_SECONDS
    if shutil.which("systemd-analyze") is None:
        return  # what the machine's own systemd says is asked besides, where it has one
    here = tmp_path / f"caimi-{name}.service"
    here.write_text(unit.replace(words[0], sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(here)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, here.name in done.stderr) == (0, False), done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_of_the_compose_file_has_no_rights(name: str) -> None:
    service = COMPOSE["services"][name]
    assert told(service["command"]) == ""
    assert service["command"][1] == name
    assert service["user"] == f"{USER}:{USER}"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    (secret,) = service["secrets"]
    assert service["environment"] == {"CAIMI_PASSPHRASE_FILE": f"/run/secrets/{secret}"}
    assert COMPOSE["secrets"][secret] == {"file": f"./secrets/{secret}"}
    assert int(service["stop_grace_period"].removesuffix("s")) >= 2 * DRAIN_SECONDS
    assert service["healthcheck"]["test"][0] == "CMD"


def test_the_compose_file_has_these_services_and_no_secret_in_it() -> None:
    assert set(COMPOSE["services"]) == set(SERVICES)
    assert "CAIMI_PASSPHRASE:" not in (DEPLOY / "compose.yaml").read_text()


@pytest.mark.parametrize("name", SERVICES)
def test_a_pod_has_no_rights_and_gets_its_passphrase_in_memory(name: str) -> None:
    spec = workload(name)["spec"]
    assert spec["replicas"] == 1
    pod = spec["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == USER
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["terminationGracePeriodSeconds"] >= 2 * DRAIN_SECONDS
    (container,) = pod["containers"]
    for each in (container, *pod["initContainers"]):
        rights = each["securityContext"]
        assert rights["allowPrivilegeEscalation"] is False
        assert rights["readOnlyRootFilesystem"] is True
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in each["resources"]["limits"]
    assert container["args"][1] == name
    assert told(container["args"]) == ""
    (variable,) = container["env"]
    assert variable["name"] == "CAIMI_PASSPHRASE_FILE"
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert volumes["own-passphrase"]["emptyDir"]["medium"] == "Memory"
    named = set(volumes) | {each["metadata"]["name"] for each in spec["volumeClaimTemplates"]}
    mounts = {m["name"] for c in (container, *pod["initContainers"]) for m in c["volumeMounts"]}
    assert mounts == named
    assert {m["name"] for m in container["volumeMounts"]} >= {"home", "own-passphrase"}
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"] == labels


@pytest.mark.parametrize("name", ["node", "worker"])
def test_a_service_reaches_the_port_that_its_pod_serves(name: str) -> None:
    service, workload_ = documents((DEPLOY / "kubernetes" / f"{name}.yaml").read_text())
    assert service["kind"] == "Service"
    template = workload_["spec"]["template"]
    assert service["spec"]["selector"] == template["metadata"]["labels"]
    (port,) = service["spec"]["ports"]
    (container,) = template["spec"]["containers"]
    assert container["ports"] == [{"name": port["targetPort"], "containerPort": port["port"]}]
    for probe in ("readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert (asked["path"], asked["scheme"]) == ("/version", "HTTPS")


def test_kustomize_takes_what_its_file_lists(tmp_path: Path) -> None:
    (listed,) = documents((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
    there = {file.name for file in (DEPLOY / "kubernetes").glob("*.yaml")}
    assert set(listed["resources"]) == there - {"kustomization.yaml"}
    if shutil.which("kubectl") is None:
        return  # what the tool itself says is asked besides, where it is installed
    done = subprocess.run(
        ["kubectl", "kustomize", str(DEPLOY / "kubernetes")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\nkind: ") == 8
    assert " image: registry.example.org/caimi:0.1.0" in done.stdout


def test_the_image_is_of_the_wheel_and_the_lock_without_root() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    steps = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).split("\n")
    base = next(step for step in steps if step.startswith("ARG BASE="))
    assert re.fullmatch(r"ARG BASE=python:3\.\d+\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?", base)
    install = next(step for step in steps if "--require-hashes" in step)
    assert "--only-binary :all:" in install
    assert "--no-index ./caimi-*.whl" in install
    last = [step for step in steps if step.startswith("USER ")]
    assert last == [f"USER {USER}:{USER}"]
    assert steps.index(last[0]) > max(i for i, step in enumerate(steps) if step.startswith("RUN "))
    assert 'ENTRYPOINT ["caimi"]' in steps
    assert not re.search(r"CAIMI_PASSPHRASE|curl|apt-get|:latest", text)


@pytest.mark.parametrize(
    "file",
    [DEPLOY / "Dockerfile", DEPLOY / "compose.yaml", *sorted((DEPLOY / "kubernetes").iterdir())],
    ids=lambda file: file.name,
)
def test_what_was_not_run_says_so(file: Path) -> None:
    assert "# Not run by CAIMI's tests; its form is checked by tests/deploy.\n" in file.read_text()
