"""`halpose card` and `halpose push`; scoring writes the card again."""

from __future__ import annotations

from pathlib import Path

from terminal import halpose


def test_the_card_is_written_by_hand_and_by_scoring(run: Path, toy_store: Path) -> None:
    card = run / "README.md"
    assert "Not scored yet" in card.read_text()
    assert halpose("evaluate", run, "--on", toy_store, "--protocol", "knn").code == 0
    assert "| toy | x-sub, test | trained | knn | 30 |" in card.read_text()
    card.unlink()
    outcome = halpose("card", run, "--json")
    assert outcome.code == 0 and outcome.json == {"run": str(run), "card": str(card)}
    assert "| trained | knn |" in card.read_text()
    card.write_text("mine")
    halpose("card", run).fails("was not written by halpose", "--overwrite")
    assert halpose("card", run, "--overwrite").code == 0
    halpose("card", run.parent).fails("not a run directory")


def test_what_would_travel_is_said(run: Path) -> None:
    outcome = halpose("push", run, "me/moves", "--dry-run", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json["address"] == "" and "README.md" in outcome.json["files"]
    assert "nothing was sent" in outcome.err and "weights.safetensors" in outcome.err
    halpose("push", run.parent, "me/moves", "--dry-run").fails("not a run directory")
