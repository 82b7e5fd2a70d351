from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from halpose.config import DataConfig
from halpose.data.merge import merge
from halpose.data.normalise import clean
from halpose.data.store import Store, StoreWriter
from halpose.data.views import evaluation_view
from halpose.data.window import Window, resolve_data
from halpose.engine.run import Run
from halpose.engine.seen import FILE, read_lines, read_seen, seen_lines, write_lines
from halpose.errors import CheckpointError, DataError
from halpose.evaluate.run import evaluate_run
from halpose.evaluate.transfer import adapt, overlap
from halpose.mapping import map_joints
from halpose.skeleton import Sequence, load_layout

Runs = Callable[..., Run]


def rewritten(store: Store, path: Path, name: str, layout: str = "kinect25", people: int = 2) -> Store:
    """The toy recordings as those of another data set, in another layout, from scratch."""
    source, target = store.layout, load_layout(layout)
    joints = map_joints(source, target)
    with StoreWriter(path, layout=target, people=people, name=name, classes=store.classes) as writer:
        for clip in store:
            positions = joints.apply(clip.positions)[:people]
            writer.append(
                clean(Sequence(positions, layout, name=clip.name, label=clip.label, subject=clip.subject), people)
            )
        parts = store.clips.split["x-sub"]
        writer.set_split("x-sub", parts)
    return Store.open(path)


def remember(run: Run, *rows: tuple[str, str, str]) -> Run:
    write_lines(run.path, ["\t".join(row) for row in rows])
    return run


def test_a_store_of_the_same_kind_is_taken_as_it_is(runs: Runs, store: Store) -> None:
    taken, notes = adapt(runs(), store, "x-sub", "test")
    assert taken is store and notes == ()


def test_a_mapped_store_is_the_one_that_would_have_been_prepared(runs: Runs, store: Store, tmp_path: Path) -> None:
    """kinect20 written as kinect25, read back as kinect20: the same windows as without the detour."""
    run = runs("joint")
    other = rewritten(store, tmp_path / "other", "other")
    taken, notes = adapt(run, other, "x-sub", "test")
    assert taken.layout.joints == store.layout.joints
    # Of two people, who moves most and so comes first may depend on the joints that are there.
    clips = np.flatnonzero(store.clips.people == 1)[:40]
    for centre, align, scale in (("first", "torso", "rms"), ("frame", "first", "none"), ("frame", "torso", "rms")):
        data = resolve_data(store, DataConfig(centre=centre, align=align, scale=scale))  # type: ignore[arg-type]
        for resident in (4.0, 0.0):
            data = replace(data, resident_gigabytes=resident)
            a, b = (Window.load(one, clips, data) for one in (taken, store))
            chosen = torch.arange(len(clips))
            x, y = (evaluation_view(window, chosen, 8).numpy() for window in (a, b))
            np.testing.assert_allclose(x, y, atol=2e-5)
    assert notes[0] == "transfer: pre-trained on toy, without labels; scored on other"
    assert any("joints mapped by name from kinect25 to kinect20: 20 of 20" in note for note in notes)


def test_people_are_filled_up_or_cut(runs: Runs, store: Store, tmp_path: Path) -> None:
    alone = rewritten(store, tmp_path / "alone", "alone", "kinect20", people=1)
    taken, notes = adapt(runs("joint"), alone, "x-sub", "test")
    assert taken.frames.shape == (len(alone.frames), 2, 20, 3)
    np.testing.assert_array_equal(taken.frames[5:9][:, :1], alone.frames[5:9])
    assert np.isnan(taken.frames[5:9][:, 1]).all()
    assert "clips of 1 people are filled up to 2 with nobody" in notes
    run = runs("joint", name="one", store=alone)
    taken, notes = adapt(run, store, "x-sub", "test")
    np.testing.assert_array_equal(taken.frames[5:9], np.asarray(store.frames[5:9][:, :1]))
    assert "clips are cut to 1 of 2 people, those who move most" in notes
    # The joints are the same, so place, direction and size are what they were.
    assert taken.clips.origin is store.clips.origin


@pytest.mark.parametrize("layout", ["kinect25", "kinect20"])
def test_every_protocol_works_on_another_data_set_and_says_so(
    layout: str, runs: Runs, store: Store, tmp_path: Path
) -> None:
    other = rewritten(store, tmp_path / "other", "other", layout)
    for result in evaluate_run(runs(), other, protocols=["knn", "linear", "retrieval"], kinds=["trained", "untrained"]):
        assert result.notes[0].startswith("transfer: pre-trained on toy")
        assert any("mapped by name" in note for note in result.notes) == (layout == "kinect25")
    same = evaluate_run(runs(name="again"), store, protocols=["knn"], kinds=["trained"])
    moved = evaluate_run(runs(name="moved"), other, protocols=["knn"], kinds=["trained"])
    assert same[0].top1 == pytest.approx(moved[0].top1, abs=0.04)


def test_layouts_without_common_joints_are_refused(runs: Runs, store: Store) -> None:
    layout = replace(store.layout, joints=tuple(f"x {joint}" for joint in store.layout.joints))
    strange = replace(store, meta={**store.meta, "layout": layout.to_dict(), "name": "strange"})
    with pytest.raises(DataError, match="only 0 of the 20 joints of kinect20"):
        adapt(runs("joint"), strange, "x-sub", "test")


def test_two_coordinates_are_not_three(runs: Runs, store: Store) -> None:
    run = runs("joint")
    flat = replace(run, shape=replace(run.shape, channels=2))
    with pytest.raises(DataError, match="3 coordinates per joint, but .* was trained on 2"):
        adapt(flat, store, "x-sub", "test")


def test_what_pretraining_saw_is_kept_and_read_back(runs: Runs, store: Store) -> None:
    run = runs("joint")
    clips = store.part("x-sub", "train")
    write_lines(run.path, seen_lines(store, clips))
    seen = read_seen(run)
    assert seen.clips == {("toy", str(name)) for name in store.clips.name[clips]}
    assert seen.subjects == {("toy", f"s{i}") for i in (1, 2, 3, 4, 5)}
    assert len(read_lines(run.path)) == len(clips)
    (run.path / FILE).write_text("one column\n")
    with pytest.raises(CheckpointError, match="delete it to go on"):
        read_seen(run)


def test_overlap_between_data_sets_of_one_family_is_refused(runs: Runs, store: Store, tmp_path: Path) -> None:
    """As between NTU RGB+D 60 and 120, of which the second contains the first."""
    run = runs("joint")
    run.about["store"]["name"] = "ntu60"
    ntu = replace(store, meta={**store.meta, "name": "ntu120"})
    clip = str(store.clips.name[store.part("x-sub", "test")[0]])
    with pytest.raises(DataError, match=r"1 clips of the test part of x-sub were in the pre-training part of .*ntu60"):
        overlap(remember(run, ("ntu60", "", clip)), ntu, "x-sub", "test")
    with pytest.raises(DataError, match="subjects s7 of the test part"):
        overlap(remember(run, ("ntu60", "s7", "another clip"), ("ntu60", "s1", "a third")), ntu, "x-sub", "test")
    assert overlap(run, ntu, "x-sub", "validation")  # s7 is not in that part
    # The same subject number of a data set of other people is another person.
    assert overlap(remember(run, ("nw-ucla", "s7", clip)), ntu, "x-sub", "test")
    with pytest.raises(DataError, match="pre-train without them"):
        evaluate_run(remember(run, ("ntu60", "s8", "x")), ntu)


def test_a_fork_has_seen_what_its_origin_saw(runs: Runs, store: Store) -> None:
    run = runs("joint")
    run.about["store"]["name"] = "utd-mhad"
    remember(run, ("utd-mhad", "s1", "a"), ("ntu60", "s7", "b"))
    with pytest.raises(DataError, match=r"subjects s7 .*\(ntu60, utd-mhad\)"):
        overlap(run, replace(store, meta={**store.meta, "name": "ntu60"}), "x-sub", "test")


def test_the_own_data_set_is_no_transfer_and_seen_clips_are_counted(runs: Runs, store: Store) -> None:
    run = runs("joint")
    write_lines(run.path, seen_lines(store, store.part("x-sub", "official")))
    assert overlap(run, store, "x-sub", "test") == ()
    write_lines(run.path, seen_lines(store, store.part("x-sub", "all")))
    assert overlap(run, store, "x-sub", "test") == ("30 of 30 scored clips were seen, without labels, in pre-training",)


@pytest.mark.parametrize("trained_on", ["toy", "toy+other"])
def test_clips_of_a_merged_store_are_known_by_their_own_data_set(
    runs: Runs, store: Store, tmp_path: Path, trained_on: str
) -> None:
    merge([store.path, rewritten(store, tmp_path / "other", "other", "kinect20").path], tmp_path / "both")
    both, run = Store.open(tmp_path / "both"), runs("joint")
    run.about["store"]["name"] = trained_on
    name = str(store.clips.name[store.part("x-sub", "test")[0]])
    remember(run, ("toy", "", name), ("toy", "", ""))
    if trained_on == both.name:
        seen = ("1 of 60 scored clips were seen, without labels, in pre-training",)
        assert overlap(run, both, "merged", "test") == seen
        assert overlap(remember(run, ("other", "", "of another name")), both, "merged", "test") == ()
        return
    with pytest.raises(DataError, match="1 clips of the test part of merged were in the pre-training part"):
        overlap(run, both, "merged", "test")
    with pytest.raises(DataError, match="subjects s7 of the test part of merged"):
        overlap(remember(run, ("toy", "s7", "another clip")), both, "merged", "test")
    assert overlap(remember(run, ("sbu", "s7", name)), both, "merged", "test")  # another data set's are others


def test_a_run_from_before_this_was_recorded_says_that_it_is_not_known(runs: Runs, store: Store) -> None:
    notes = overlap(runs("joint"), replace(store, meta={**store.meta, "name": "other"}), "x-sub", "test")
    assert notes[1] == "which clips pre-training saw is not recorded, so that overlap could not be checked"
