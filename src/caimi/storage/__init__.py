"""Where bytes live: content-addressed stores behind one port."""

from caimi.storage.cid import Cid, HashFunction
from caimi.storage.local import LocalStore
from caimi.storage.port import MAX_OBJECT_BYTES, BlockingStore, Store, blocking

__all__ = [
    "MAX_OBJECT_BYTES",
    "BlockingStore",
    "Cid",
    "HashFunction",
    "LocalStore",
    "Store",
    "blocking",
]
