"""A machine's card for people, within 80 columns."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from halpose.ablate.catalogue import PAPER_COSTS

_GIGA = 1e9


def card_table(card: dict[str, Any]) -> Group:
    """What `measure_card` made, as tables and sentences."""
    sizes = card["sizes"]
    title = (
        f"batch {sizes['batch']}, {sizes['frames']} frames, {sizes['people']} people of {sizes['joints']} joints, "
        f"GRU {sizes['layers']} x {sizes['hidden']}, queue {sizes['queue']}"
    )
    return Group(
        Text(_machine(card["machine"]), "bold"), Text(title), _steps(card["steps"]), _rates(card),
        *(Text(line, "dim") for line in _captions(card)),
    )  # fmt: skip


def _machine(machine: dict[str, Any]) -> str:
    device = machine["device"]
    if machine["device_gigabytes"]:
        device += f" ({machine['device_gigabytes']:g} GB)"
    else:
        device = f"{machine['processor']}, {machine['cores']} cores"
    return f"{device}, {machine['threads']} threads, torch {machine['torch']}, {machine['date']}"


def _steps(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=0)
    columns = (
        "Method",
        "Clips/s",
        "ms a\nstep",
        "Time",
        "Paper\ntime",
        "MB",
        "Memory",
        "Paper\nmemory",
        "Of the\nfloor",
    )
    for column in columns:
        table.add_column(Text(column), justify="left" if column == "Method" else "right", no_wrap=True)
    for row in rows:
        paper, share = PAPER_COSTS[row["method"]], row["share_of_floor"]
        table.add_row(
            row["method"], f"{row['clips_per_second']:.0f}", f"{row['milliseconds']:.1f}", f"{row['time']:.2f}x",
            f"{paper.time:g}x", f"{(row['state_bytes'] + row['step_bytes']) / (1 << 20):.0f}", f"{row['memory']:.2f}x",
            f"{paper.memory:g}x", "" if share is None else "/".join(f"{value:.0%}" for value in share.values()),
        )  # fmt: skip
    return table


def _rates(card: dict[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for what in ("views", "embedding"):
        table.add_row(what, f"{card[what]['clips_per_second']:.0f} clips/s", card[what]["of"])
    table.add_row("in bfloat16", f"{card['embedding']['clips_per_second_bfloat16']:.0f} clips/s", "the same")
    if "knn" in card:
        knn = card["knn"]
        of = f"{knn['queries']} against {knn['gallery']} x {knn['dimensions']}"
        table.add_row("k-NN", f"{knn['seconds']:.1f} s", f"{of}, {knn['operations_per_second'] / _GIGA:.0f} GFLOP/s")
    for kind, rate in card["matrix_products"].items():
        table.add_row(f"{kind} products", f"{rate / _GIGA:.0f} GFLOP/s", "large square matrices, the best of a second")
    return table


def _captions(card: dict[str, Any]) -> list[str]:
    hours = card["projected"]["ntu60_xsub_450_epochs_hours"]
    kinds = " / ".join(card["matrix_products"])
    lines = [
        "All above is measured. Time and memory are multiples of moco's, beside the paper's Table 4.",
        f"Of the floor: share of a step that its matrix products would take at this machine's {kinds} rate; methods' "
        "own terms are not counted into the floor.",
        "Projected, not run: 450 epochs of NTU-60 x-sub (18 million clips) take "
        + ", ".join(f"{value:.3g} h with {method}" for method, value in hours.items())
        + f"; embedding all of NTU-60 {card['projected']['ntu60_embedding_seconds']:.3g} s.",
    ]
    if card["machine"]["shared"]:
        lines.append(
            f"The machine was busy with other work (load {card['machine']['load']:g} on {card['machine']['cores']} "
            "cores): compare the ratios, not the times."
        )
    return lines
