"""Methods: what is minimised. A method is streams (from the configuration) and a list of weighted terms.

To add one, write `methods/x.py` with its terms, put their formulas in `losses.py`, and add a line to `METHODS`; the
contract tests find it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from halpose.config import Config
from halpose.errors import ConfigError
from halpose.methods.aimclr import aimclr
from halpose.methods.ascal import ascal
from halpose.methods.barlow import barlow, halp_barlow
from halpose.methods.base import Method, Term, build_streams
from halpose.methods.cmd import cmd, halp_cmd
from halpose.methods.crosclr_b import crosclr_b
from halpose.methods.halp import halp
from halpose.methods.isc import isc
from halpose.methods.moco import moco
from halpose.methods.multicrop import multicrop
from halpose.methods.pull import pull
from halpose.methods.simclr import halp_simclr, simclr
from halpose.methods.skt import halp_skt, skt
from halpose.skeleton import Layout

__all__ = ["METHODS", "SIAMESE", "STANDARDISED", "Method", "Term", "build_method"]

METHODS: dict[str, Callable[[Config], list[Term]]] = {
    "moco": moco,
    "halp": halp,
    "pull": pull,
    "cmd": cmd,
    "halp_cmd": halp_cmd,
    "crosclr_b": crosclr_b,
    "isc": isc,
    "ascal": ascal,
    "aimclr": aimclr,
    "skt": skt,
    "halp_skt": halp_skt,
    "simclr": simclr,
    "halp_simclr": halp_simclr,
    "barlow": barlow,
    "halp_barlow": halp_barlow,
    "multicrop": multicrop,
}

STANDARDISED = frozenset({"skt", "halp_skt", "barlow", "halp_barlow"})
"""Methods of redundancy reduction: their embeddings are made of projections that are standardised over the batch."""

SIAMESE = frozenset({"simclr", "halp_simclr"}) | STANDARDISED
"""Methods whose views share one encoder and whose negatives, if they have any, are the batch."""


def build_method(config: Config, layout: Layout, people: int, channels: int, generator: torch.Generator) -> Method:
    """The method a configuration names, with fresh weights drawn from `generator` (a CPU generator).

    Raises:
        ConfigError: there is no such method, encoder or stream, or their settings contradict each other.
    """
    if config.method not in METHODS:
        raise ConfigError(f"method is {config.method!r}; there are: {', '.join(METHODS)}")
    siamese, standardised = config.method in SIAMESE, config.method in STANDARDISED
    streams = build_streams(config, layout, people, channels, generator, siamese, standardised)
    return Method(streams, METHODS[config.method](config), layout, config.diagnose, config.data.has_confidence)
