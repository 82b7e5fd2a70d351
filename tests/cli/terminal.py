"""The command line as a function: words in; exit code, stdout and stderr out."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

import pytest

from halpose.cli import main
from small import SMALL_WORDS

# As --set takes them: a run of a few seconds' worth of nothing.
TINY = (*SMALL_WORDS, "steps=4", "checkpoint_every=2", "log_every=2")


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The last line of stdout, which is one object and strict JSON."""
        found = json.loads(self.out.splitlines()[-1], parse_constant=pytest.fail)
        assert isinstance(found, dict)
        return found

    def fails(self, *says: str) -> None:
        """One clean message of an expected error."""
        assert self.code == 2, self.err
        assert "Traceback" not in self.err
        for words in says:
            assert words in self.err


def set_words(*settings: str) -> list[str]:
    """The words that set these settings."""
    return [word for setting in settings for word in ("--set", setting)]


def halpose(*words: object) -> Outcome:
    """Run a command in this process."""
    code, out, err = 0, io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(word) for word in words])
        except SystemExit as end:
            assert isinstance(end.code, int)
            code = end.code
    return Outcome(code, out.getvalue(), err.getvalue())
