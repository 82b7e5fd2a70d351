"""The page of one clip, large: it turns, plays and is scrubbed, without a network."""

from __future__ import annotations

from halpose.report.page import Page
from halpose.report.recording import Recording


def view_page(recording: Recording, title: str = "") -> Page:
    """Put the page together.

    Args:
        recording: the clip.
        title: heading; the clip's class or its name if empty.
    """
    clip = recording.animated(title)
    named = "" if clip.title == clip.name else f"{clip.name}, "
    return Page(
        title=clip.title,
        subtitle=f"{named}from {recording.source.name}",
        clips=[clip],
        facts=recording.facts,
        notes=recording.notes,
    )
