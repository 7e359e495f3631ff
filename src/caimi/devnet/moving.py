"""Settings that follow a network's plan when it is moved to other ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from caimi.config import CONFIG_NAME, LedgerSection, load_config, read_toml
from caimi.devnet.plan import NetworkPlan
from caimi.devnet.programs import NODE, local_url
from caimi.ledgers.port import LedgerService
from caimi.node.settings import NodeSettings
from caimi.places import write_result


def follow_plan(
    plan: NetworkPlan, services: Sequence[LedgerService], directory: Path, folder: Path
) -> None:
    """Write into `caimi.toml` and each `node.toml` where the plan says that all listens.

    Doing it again changes nothing more. Whatever else the files say stays, but no comments.

    Raises:
        ConfigMissing, ConfigInvalid: a file is not there, or is not as it should be.
    """
    told = {service.name: service.place.told for service in services}
    for number, port in enumerate(plan.nodes, start=1):
        file = folder / f"{NODE}{number}" / "node.toml"
        settings = read_toml(file, NodeSettings)
        ledgers = _followed(settings.ledgers, told)
        moved = settings.model_copy(update={"port": port, "ledgers": ledgers})
        write_result(file, moved.dump().encode())
    file = directory / CONFIG_NAME
    config = load_config(file)
    committee = config.committee
    if committee is not None:
        urls = dict(enumerate(map(local_url, plan.nodes), start=1))
        custodians = [
            each.model_copy(update={"url": urls.get(each.index, each.url)})
            for each in committee.custodians
        ]
        committee = committee.model_copy(update={"custodians": custodians})
    first = [each.model_copy(update={"url": local_url(plan.worker)}) for each in config.workers[:1]]
    changes = {
        "committee": committee,
        "ledgers": _followed(config.ledgers, told),
        "workers": [*first, *config.workers[1:]],
    }
    write_result(file, config.model_copy(update=changes).dump().encode())


def _followed(
    sections: Sequence[LedgerSection], told: Mapping[str, Mapping[str, object]]
) -> list[LedgerSection]:
    return [
        LedgerSection.model_validate({**section.model_dump(), **told.get(section.name, {})})
        for section in sections
    ]
