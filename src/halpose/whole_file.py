"""A file that appears whole or not at all; an older one stays until the new one is complete."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from halpose.errors import DataError, HalposeError


@contextlib.contextmanager
def whole_file(path: Path, error: type[HalposeError] = DataError, way_out: str = "") -> Iterator[Path]:
    """Where to write a file; it takes its place when the block ends, and is removed if the block fails.

    Args:
        path: its place. Folders on the way are made.
        error: what an OSError becomes.
        way_out: what would work instead.

    Raises:
        HalposeError: `error`: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
    except OSError as cause:
        hint = f"; {way_out}" if way_out else ""
        raise error(f"{path}: cannot be written ({cause.strerror or cause}){hint}") from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def write_whole(path: Path, text: str, error: type[HalposeError] = DataError, way_out: str = "") -> None:
    """Write a text, as `whole_file` does; lines end in one way on every system."""
    with whole_file(path, error, way_out) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
