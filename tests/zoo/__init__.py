"""Models that every engine is tested and measured on, made here: no file is downloaded.

They are trained on scikit-learn's bundled data or have seeded random weights, and each says which.
"""

from zoo.catalogue import MODELS, named
from zoo.entry import Tolerance, ZooModel
from zoo.operators import OPERATORS

__all__ = ["MODELS", "OPERATORS", "Tolerance", "ZooModel", "named"]
