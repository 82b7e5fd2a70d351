"""What a step computes, once it is known which clips it is about."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from halpose.config import OptimizerConfig
from halpose.engine.averaging import GradientMean
from halpose.engine.batches import Batch, Batches
from halpose.methods.base import Method, Moment, Output


@dataclass(frozen=True)
class Step:
    """Views, forward, backward, the optimizer's move, and what follows it in every step: key branches and queues.

    All of it happens on the device. In steps of one phase (`Method.phase`) the host does the same each time.

    Attributes:
        batches: draw the views.
        method: computes the loss.
        optimizer: moves the method's query parameters.
        scaler: of the gradients, for float16.
        averaging: of the gradients, over the ranks.
        config: `clip_norm` and `accumulate`.
    """

    batches: Batches
    method: Method
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    averaging: GradientMean
    config: OptimizerConfig

    def __call__(self, batch: Batch, moment: Moment) -> dict[str, Tensor]:
        """Take the step; what is worth logging of it."""
        batch = self.batches.drawn(batch)
        self.optimizer.zero_grad(set_to_none=True)
        output = self.differentiate(batch, moment)
        if self.config.clip_norm:
            self.scaler.unscale_(self.optimizer)
            parameters = [parameter for _, parameter in self.method.query_parameters()]
            torch.nn.utils.clip_grad_norm_(parameters, self.config.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.method.move_streams(output, batch.clips, moment)
        return output.values

    def differentiate(self, batch: Batch, moment: Moment) -> Output:
        """Forward and backward, in `accumulate` parts whose mean is the loss."""
        parts, size = self.config.accumulate, len(batch.clips) // self.config.accumulate
        outputs = []
        for part in range(parts):
            mine = slice(part * size, (part + 1) * size)
            views = {name: view[mine] for name, view in batch.views.items()}
            output: Output = self.method(views, batch.clips[mine], moment)
            with self.averaging.held(part + 1 < parts):
                torch.autograd.backward(self.scaler.scale(output.loss / parts if parts > 1 else output.loss))
            outputs.append(output)
        self.averaging.finish()
        return outputs[0] if parts == 1 else Output.of_parts(outputs, size)
