"""What goes wrong, and when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from faults.chain import GWEI

if TYPE_CHECKING:
    from faults.world import World


async def strike(world: World) -> None:
    """Let things go wrong at random moments until the chaos is over."""
    rng, settings = world.rng, world.settings
    moments = sorted(rng.uniform(0.0, settings.seconds) for _ in range(settings.strikes))
    for moment in moments:
        await asyncio.sleep(max(0.0, moment - world.loop.now))
        world.spawn(_one(world))


async def _one(world: World) -> None:
    rng = world.rng
    kind = rng.choice(
        ["reorg", "reorg", "halt", "spike", "kill", "kill", "disk", "lag", "lie", "skew"]
    )
    chain = rng.choice(list(world.genesis.chains.values()))
    lasting = rng.uniform(10.0, 90.0)
    world.note(f"{kind} {chain.id}")
    match kind:
        case "reorg":
            most = chain.depth
            if world.settings.kind == "beyond-finality":
                most = chain.depth * 3
            chain.reorganise(rng.randint(1, most), rng.choice([0.0, 0.0, 0.5, 1.0]))
        case "halt":
            chain.catch_up()
            chain.halted_until = world.loop.now + lasting
        case "spike":
            chain.catch_up()
            chain.base_fee = rng.choice([20, 120, 900]) * GWEI
            await asyncio.sleep(lasting)
            chain.catch_up()
            chain.base_fee = GWEI
        case "kill":
            actor = rng.choice([*world.validators, *world.relayers, *world.watchers, *world.users])
            actor.process.fuse = rng.randint(1, 60)
        case "disk":
            disk = rng.choice(world.validators).disk
            disk.full = True
            await asyncio.sleep(lasting)
            disk.full = False
        case "lag":
            actor = rng.choice([*world.validators, *world.relayers, *world.watchers])
            if chain.id not in actor.faults:
                return  # a watcher follows no ledger that offers no watching
            # A watcher believes a node that lags no more than its patience and finality.
            watches = actor in world.watchers
            actor.faults[chain.id].lag = rng.randint(1, chain.depth if watches else 12)
            await asyncio.sleep(lasting)
            actor.faults[chain.id].lag = 0
        case "lie":
            misled = [each for each in world.validators if each.name in world.misled]
            actor = rng.choice([*misled, *world.relayers])
            faults = actor.faults[chain.id]
            how = rng.choice(["ahead", "rewrite", "blind", "omitted"])
            if how == "omitted":
                # It misleads nobody who signs: every validator's node may leave something out.
                actor = rng.choice([*world.validators, *world.relayers])
                faults = actor.faults[chain.id]
            world.note(f"{actor.name} is told lies: {how}")
            match how:
                case "ahead":
                    faults.ahead = rng.randint(1, chain.depth)
                case "rewrite":
                    victim = rng.choice(world.genesis.users).account
                    faults.rewrite = (victim, world.genesis.attacker.account)
                case "blind":
                    faults.blind = True
                case _:
                    faults.omitted = 0.5
            await asyncio.sleep(lasting)
            faults.ahead, faults.rewrite, faults.blind, faults.omitted = 0, None, False, 0.0
        case _:
            chain.catch_up()
            chain.skew += rng.randint(0, 45)
