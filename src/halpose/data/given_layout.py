"""The layout that a user gives to map recordings to: a name, a file that describes one, or a recording that has it."""

from __future__ import annotations

from pathlib import Path

from halpose import io
from halpose.errors import DataError
from halpose.skeleton import Layout, layout_names, load_layout


def given_layout(given: str | Path | Layout | None) -> Layout | None:
    """The layout that is meant.

    Args:
        given: one that comes with halpose, by name; a `.toml` file; a recording, whose skeleton is taken; the layout
            itself; or None.

    Raises:
        ConfigError: it is none of these.
        DataError: it is a file that cannot be read as a recording.
    """
    if given is None or isinstance(given, Layout):
        return given
    path = Path(given)
    if str(given) in layout_names() or path.suffix == ".toml" or not path.exists():
        return load_layout(given)
    if path.is_dir() and io.recordings(sorted(path.iterdir())) != [path]:
        raise DataError(f"{path}: a folder; give the recording in it whose skeleton is meant")
    return next(iter(io.read(path))).skeleton
