"""`halpose view`."""

from __future__ import annotations

import re
from pathlib import Path

import click

from halpose.cli import common_options, print_json
from halpose.cli.console import remark, show


def _size(context: click.Context, option: click.Parameter, text: str) -> tuple[int, int]:
    """`640x480`, or `480` for a square."""
    match = re.fullmatch(r"(\d{2,4})(?:x(\d{2,4}))?", text)
    sides = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not all(64 <= side <= 4096 for side in sides):
        raise click.BadParameter(f"{text!r}: write 640x480, or 480 for a square; from 64 to 4096 pixels")
    return sides


@click.command(short_help="Watch a clip: a page that turns and plays, a GIF or an MP4.")
@click.argument("clip", type=click.Path(path_type=Path))
@click.argument("name", default="")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help=".html, .gif or .mp4 to write.")
@click.option("--from", "start", default=0.0, type=click.FloatRange(min=0), help="Second to start at.")
@click.option("--to", "end", default=0.0, type=click.FloatRange(min=0), help="Second to end at. Default: the end.")
@click.option(
    "--fps", default=0.0, type=click.FloatRange(min=0, max=240),
    help="Frames per second of a GIF or an MP4. Default: the clip's own, up to 25 and 60.",
)  # fmt: skip
@click.option("--size", default="480", show_default=True, callback=_size, help="Pixels of a GIF or an MP4: 640x480.")
@click.option("--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True, help="Likewise.")
@click.option("--title", default="", help="Default: the clip's class, or its name.")
@click.option("--layout", help="Joint layout of a file that does not name its joints.")
@common_options
def view(
    clip: Path,
    name: str,
    out: Path,
    start: float,
    end: float,
    fps: float,
    size: tuple[int, int],
    theme: str,
    title: str,
    layout: str | None,
    as_json: bool,
) -> None:
    """Write one clip as something to watch.

    CLIP is a recording in any format that halpose reads, or a prepared store; NAME is a clip's name or its number,
    where there are several. The page needs no network: drag or use the arrow keys to turn, space to play.

    \b
    Examples:
      halpose view walk.bvh -o walk.html
      halpose view stores/utd-mhad a1_s1_t1 -o swipe.gif --size 320
      halpose view long.bvh --from 12 --to 20 -o part.mp4 --fps 30 --size 1280x720
    """
    from halpose.errors import ConfigError
    from halpose.report.page import write_page
    from halpose.report.picture import Style
    from halpose.report.recording import open_recording
    from halpose.report.video import write_video
    from halpose.report.view_page import view_page

    ending = out.suffix.lower()
    if ending not in (".html", ".gif", ".mp4"):
        raise ConfigError(f"{out}: a clip is written as .html, .gif or .mp4; end the name so")
    recording = open_recording(clip, name, layout, start, end)
    if ending == ".html":
        write_page(out, view_page(recording, title))
    else:
        write_video(out, recording.animated(title), Style(*size, fps, theme))
    for note in recording.notes:
        remark(note)
    show(f"{recording.sequence.name}: {out}", as_json)
    if as_json:
        print_json({"out": str(out), "bytes": out.stat().st_size, "clip": recording.sequence.name, "source": str(clip),
                    "facts": dict(recording.facts), "notes": list(recording.notes)})  # fmt: skip
