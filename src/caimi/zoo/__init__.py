"""Models that every engine is tested and measured on, made here: no file is downloaded.

They are trained on scikit-learn's bundled data or have seeded random weights, and each says which.
"""

from caimi.zoo.catalogue import MODELS, named
from caimi.zoo.entry import Tolerance, ZooModel

__all__ = ["MODELS", "Tolerance", "ZooModel", "named"]
