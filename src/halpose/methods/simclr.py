"""SimCLR, and HaLP without a queue: both views share one encoder, negatives are the rest of the batch.

`siamese` streams make InfoNCE the NT-Xent loss. HaLP is the same term as ever: its anchors are the other views of the
batch, and its prototypes are clustered from the latest batches' embeddings, which is all that a queue-less method has
(`halp.newest` = twice the batch size and `halp.refresh` = 1: from the latest batch alone).

Reference: Chen et al., A Simple Framework for Contrastive Learning of Visual Representations, ICML 2020; HaLP's
supplement claims that the term carries over to other frameworks.
"""

from __future__ import annotations

from halpose.config import Config
from halpose.methods.base import Term
from halpose.methods.halp import HaLP
from halpose.methods.moco import InfoNCE


def simclr(config: Config) -> list[Term]:
    """NT-Xent."""
    return [InfoNCE(config)]


def halp_simclr(config: Config) -> list[Term]:
    """NT-Xent and the hallucinated term."""
    return [InfoNCE(config), HaLP(config)]
