"""What the set says of its clips as a whole: names of classes, and splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int8


@dataclass(frozen=True)
class Labelling:
    """Names of classes, and which part of a split each clip belongs to.

    Attributes:
        classes: names in the order of the labels; may be empty.
        splits: split -> part of each clip: 0 train, 1 validation, 2 test, -1 none.
    """

    classes: tuple[str, ...] = ()
    splits: Mapping[str, Int8[np.ndarray, " n"]] = field(default_factory=dict)

    def name(self, label: int) -> str:
        """A class by its name, where it has one."""
        return self.classes[label] if 0 <= label < len(self.classes) else f"class {label}"
