"""What all tables belong to."""

from typing import Final

from sqlalchemy import BigInteger, Integer, MetaData

METADATA: Final = MetaData()

NUMBER: Final = BigInteger().with_variant(Integer, "sqlite")
"""64 bits with a sign: what SQLite calls an INTEGER."""
