"""What is published: a wheel built from the sdist, installed into an environment of its own and used from elsewhere."""

from __future__ import annotations

import email
import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from pages import ROOT

pytestmark = pytest.mark.slow
CLASSIFIER = "Programming Language :: Python :: "


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints; nothing of this environment reaches it but what pip needs."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COV", "HALPOSE"))}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=kept, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built from it."""
    pytest.importorskip("build", reason="build is not installed: pip install build")
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def test_the_wheel_holds_the_package_and_all_that_it_reads(built: tuple[Path, Path]) -> None:
    names = set(zipfile.ZipFile(built[1]).namelist())
    source = ROOT / "src"
    kept = [path for path in (source / "halpose").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {path.relative_to(source).as_posix() for path in kept} <= names
    kinds = (
        "py.typed",
        "layouts/kinect25.toml",
        "recipes/halp.toml",
        "report/assets/player.js",
        "report/assets/style.css",
    )
    assert {f"halpose/{name}" for name in kinds} <= names
    outside = {name for name in names if not name.startswith(("halpose/", "halpose-"))}
    assert not outside and not [name for name in names if "__pycache__" in name]
    about = email.message_from_bytes(zipfile.ZipFile(built[1]).read(next(n for n in names if n.endswith("/METADATA"))))
    assert about["Requires-Python"] == ">=3.10.7" and about["License-Expression"] == "Apache-2.0"
    assert {f"{CLASSIFIER}3.{minor}" for minor in range(10, 14)} <= set(about.get_all("Classifier", []))


def test_the_sdist_can_be_tested_and_documented(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"pyproject.toml", "constraints.txt", "Makefile", "mkdocs.yml", "README.md", "LICENSE", "docs/index.md"}
    assert wanted | {"tests/conftest.py", "examples/make_bvh.py", "docs/pictures/walk.svg", ".ci/run"} <= names
    assert not [name for name in names if name.endswith((".safetensors", ".npy")) and not name.startswith("tests/")]


def test_an_installed_wheel_trains_from_elsewhere(built: tuple[Path, Path], tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    run(binaries / "python", "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", built[1], cwd=tmp_path)
    where = run(binaries / "python", "-c", "import halpose; print(halpose.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(tmp_path / "venv")
    program = binaries / "halpose"
    assert "Pre-train an encoder" in run(program, "--help", cwd=tmp_path)
    run(program, "data", "synthesize", "--clips", "48", "--out", "store", cwd=tmp_path)
    run(program, "train", "store", "--set", "steps=4", "--set", "batch_size=8", "--out", "run", cwd=tmp_path)
    said = run(program, "evaluate", "run", "--on", "store", "--protocol", "knn", "--json", cwd=tmp_path)
    assert [row["protocol"] for row in json.loads(said.splitlines()[-1])["results"]] == ["knn"]
    run(program, "report", "run", cwd=tmp_path)
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
    run(binaries / "python", "-m", "pip", "check", cwd=tmp_path)
