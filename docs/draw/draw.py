"""Draw the pictures of the documentation, from halpose's own functions, into docs/pictures."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import bodies
import hardness
import sphere
from sheet import Sheet

PICTURES: dict[str, Callable[[], Sheet]] = {
    "keys": sphere.keys,
    "walk": sphere.walk,
    "hardness": hardness.hardness,
    "rank-filter": sphere.rank,
    "views": bodies.views,
    "layouts": bodies.layouts,
}


def main(folder: Path) -> None:
    """Write every picture, one after another."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        (folder / f"{name}.svg").write_text(draw().write(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "pictures")
