"""What is asked of and written to the tables of a validator's memory."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    and_,
    bindparam,
    case,
    delete,
    func,
    select,
)

from caimi.persistence.prepared import Preparer
from caimi.persistence.tables.signed import BLOCKS, CLEARED, CONTENTS, COVERED, SPOILED, STOPS


class SignedStatements:
    """Every statement of the store, compiled."""

    def __init__(self, prepare: Preparer) -> None:
        origin: BindParameter[Any] = bindparam("origin")
        height: BindParameter[Any] = bindparam("height")
        block, content, spoiled = BLOCKS.c, CONTENTS.c, SPOILED.c
        this_block = and_(block.origin == origin, block.height == height)

        self.why_stopped = prepare(select(STOPS.c.why).where(STOPS.c.origin == origin))
        self.stop = prepare.insert_new(STOPS, ("origin", "why"))
        self.go_on = prepare(delete(STOPS).where(STOPS.c.origin == origin))

        self.cleared = prepare(select(CLEARED.c.height).where(CLEARED.c.origin == origin))
        newest = select(
            bindparam("cleared_origin", type_=CLEARED.c.origin.type),
            func.coalesce(func.max(block.height), 0),
        ).where(block.origin == origin)
        clear = prepare.insert(CLEARED).from_select(["origin", "height"], newest)
        self.clear = prepare(
            clear.on_conflict_do_update(
                index_elements=["origin"], set_={"height": clear.excluded.height}
            )
        )

        self.note_block = prepare.insert_new(BLOCKS, ("origin", "height", "time", "hash"))
        self.block = prepare(select(block.time, block.hash).where(this_block))
        self.newest = prepare(
            select(block.height, block.hash)
            .where(
                block.origin == origin,
                block.height > bindparam("above"),
                block.height <= bindparam("top"),
            )
            .order_by(block.height.desc())
            .limit(1)
        )
        below = select(func.max(block.height)).where(block.origin == origin, block.height < height)
        above = select(func.min(block.height)).where(block.origin == origin, block.height > height)
        either = (below.scalar_subquery(), above.scalar_subquery())
        self.neighbours = prepare(
            select(block.height, block.time).where(
                block.origin == origin,
                block.height.in_(either),
            )
        )

        self.spoiled = prepare(
            select(spoiled.block).where(spoiled.origin == origin, spoiled.height == height)
        )
        number = bindparam("block", type_=BigInteger)
        reached = select(block.origin, block.height, number).where(
            block.origin == origin, block.height >= number, block.height != height
        )
        spoil = prepare.insert(SPOILED).from_select(["origin", "height", "block"], reached)
        self.spoil = prepare(
            spoil.on_conflict_do_update(
                index_elements=["origin", "height"],
                set_={
                    "block": case(
                        (spoiled.block > spoil.excluded.block, spoiled.block),
                        else_=spoil.excluded.block,
                    )
                },
            )
        )

        covered = COVERED.c
        self.covered_near = prepare(
            select(covered.start, covered.stop)
            .where(
                covered.origin == origin,
                covered.start <= bindparam("stop"),
                covered.stop >= bindparam("start"),
            )
            .order_by(covered.start)
        )
        self.uncover = prepare(
            delete(COVERED).where(covered.origin == origin, covered.start == bindparam("start"))
        )
        self.cover = prepare.insert_new(COVERED, ("origin", "start", "stop"))
        self.contents = prepare(
            select(content.height, content.digest).where(
                content.origin == origin,
                content.height > bindparam("start"),
                content.height <= bindparam("stop"),
            )
        )
        self.hold = prepare.insert_new(CONTENTS, ("origin", "height", "digest"))
        self.drop = prepare(
            delete(CONTENTS).where(content.origin == origin, content.height == height)
        )
