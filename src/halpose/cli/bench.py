"""`halpose bench`."""

from __future__ import annotations

from pathlib import Path

import click

from halpose.cli import common_options, machine_options, print_json
from halpose.cli.console import WorkingBar, remark, show


@click.command(short_help="Measure what this machine can do: its card.")
@click.option("--hidden", default=128, show_default=True, type=click.IntRange(min=1), help="Hidden size (paper: 1024).")
@click.option("--batch", default=64, show_default=True, type=click.IntRange(min=2), help="Clips of a step.")
@click.option(
    "--steps", default=10, show_default=True, type=click.IntRange(min=1), help="Timed of each method, at least."
)
@click.option("--knn", is_flag=True, help="Also search 16 560 clips among 40 320 with 2048 features.")
@click.option("--curves", type=click.Path(path_type=Path), help="Also measure cost curves; SVG file for their picture.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file to keep the card in.")
@machine_options
@common_options
def bench(
    hidden: int,
    batch: int,
    steps: int,
    knn: bool,
    curves: Path | None,
    out: Path | None,
    device: str,
    as_json: bool,
) -> None:
    """Measure what this machine can do, at the published sizes but for the hidden size.

    Steps of MoCo, HaLP, CMD and HaLP + CMD beside the paper's overheads and the machine's own floor; views, embedding,
    nearest neighbours. --curves takes steps of several processes, too. The recordings are random, in NTU's shape.

    \b
    Examples:
      halpose bench
      halpose bench --hidden 1024 --knn --out card.json
      halpose bench --curves curves.svg --json
    """
    from dataclasses import asdict

    from halpose.bench.card import measure_card, published_sizes
    from halpose.bench.card_table import card_table
    from halpose.bench.growth import measure_growth
    from halpose.bench.growth_chart import growth_chart
    from halpose.bench.ranks import possible_ranks
    from halpose.bench.timing import machine
    from halpose.engine.checkpoint import write_json
    from halpose.engine.trainer import resolve_device
    from halpose.whole_file import write_whole

    where, config = resolve_device(device), published_sizes(hidden, batch)
    with WorkingBar() as progress:
        card = measure_card(config, where, steps, knn, progress)
        grown = measure_growth(config, where, progress) if curves else []
    show(card_table(card), as_json)
    if curves:
        card["curves"] = [asdict(curve) for curve in grown]
        left_out = possible_ranks(where, batch)[1]
        for curve in grown:
            sign, by = "-" if curve.slope < 0 else "+", "/ x" if curve.is_shared else "x"
            line = f"{1e3 * curve.constant:.4g} {sign} {abs(1e3 * curve.slope):.3g} {by} ms"
            show(f"{curve.axis:10} {line}, points within {curve.deviation:.0%}; {curve.formula}", as_json)
        if left_out:
            remark(left_out)
        write_whole(curves, growth_chart(grown, f"A HaLP step: {machine()}"))
        remark(f"picture: {curves}")
    if out:
        write_json(out, card)
        remark(f"card: {out}")
    if as_json:
        print_json(card)
