"""What a CUDA graph does, on a CPU: a list of torch's operations with the very tensors that they worked on.

To capture is to write the list and to compute nothing: whatever the operations changed while they were written down is
put back, and what they made has no content. To replay is to do each of them again on the same tensors and to put its
result where it was. Python is not run again, so what it decided or read is frozen. Random numbers come from generators
that were named before; they go on by themselves. What the host would have to wait for, or bring, is refused, as CUDA
refuses it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from test_no_waiting import Watch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

Made = TypeVar("Made")


class RecordedGraphs:
    """Stands for `CudaGraphs`. `made` has every one in the order of their making, for a test to look at."""

    made: list[RecordedGraphs] = []

    def __init__(self, device: torch.device, generators: Sequence[torch.Generator]) -> None:
        self.generators = generators
        self.warmed, self.recordings, self.replays = 0, list[Recording](), 0
        self.made.append(self)

    def warm(self, work: Callable[[], Made]) -> Made:
        self.warmed += 1
        return work()

    def capture(self, work: Callable[[], Made]) -> tuple[Callable[[], None], Made]:
        recording = Recording([torch.default_generator, *self.generators])
        with recording:
            made = work()
        recording.undo()
        self.recordings.append(recording)
        return lambda: self.replay(recording), made

    def replay(self, recording: Recording) -> None:
        self.replays += 1
        recording.replay()


class Recording(TorchDispatchMode):
    """Writes down what is done inside of it."""

    def __init__(self, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.generators = generators
        self.states = [generator.get_state() for generator in generators]
        self.calls: list[tuple[Any, Any, Any, list[Tensor | None], bool]] = []
        self.made: dict[int, Tensor] = {}
        self.found: dict[int, tuple[Tensor, Tensor]] = {}
        self.watch = Watch()

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if operation.namespace == "profiler":
            return operation(*args, **kwargs)
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        self._refuse(operation, args, kwargs)
        for tensor in given:
            self._remember(tensor)
        result = self.watch.__torch_dispatch__(operation, types, args, kwargs)
        if self.watch.found:
            raise RuntimeError(f"the host would wait for {', '.join(self.watch.found)}")
        places = {address(tensor) for tensor in given}
        outputs = [
            leaf.detach() if isinstance(leaf, Tensor) and address(leaf) not in places else None
            for leaf in tree_leaves(result)
        ]
        for output in outputs:
            if output is not None:
                self.made[address(output)] = output
        if operation._schema.is_mutable or any(output is not None for output in outputs):  # else it is a view
            self.calls.append((operation, *tree_map(detached, (args, kwargs)), outputs, torch.is_grad_enabled()))
        return result

    @torch.no_grad()
    def undo(self) -> None:
        """As if nothing had been computed: what was there is as before, and what was made is nonsense."""
        for flat, before in self.found.values():
            flat.copy_(before)
        for generator, state in zip(self.generators, self.states, strict=True):
            generator.set_state(state)
        for output in self.made.values():
            output.fill_(float("nan") if output.is_floating_point() else 77)

    def replay(self) -> None:
        """All of it again."""
        for operation, args, kwargs, outputs, keeps_for_backward in self.calls:
            with torch.set_grad_enabled(keeps_for_backward):  # there is nothing to differentiate, but some look at it
                results = tree_leaves(operation(*args, **kwargs))
            for output, result in zip(outputs, results, strict=True):
                if output is not None:
                    output.copy_(result)

    def _refuse(self, operation: Any, args: Any, kwargs: Any) -> None:
        if operation.overloadpacket.__name__ == "lift_fresh":
            raise RuntimeError("numbers of the host would have to be copied")
        for leaf in tree_leaves((args, kwargs)):
            if isinstance(leaf, torch.Generator) and all(leaf._cdata != known._cdata for known in self.generators):
                raise RuntimeError("a generator was used that the graph does not know")

    def _remember(self, tensor: Tensor) -> None:
        """The content of memory that was there before; some operations change more than they say."""
        place = address(tensor)
        if place not in self.made and place not in self.found:
            flat = torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage())
            self.found[place] = (flat, flat.clone())


def address(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def detached(leaf: Any) -> Any:
    """The same memory, without the graph of autograd that it is part of."""
    return leaf.detach() if isinstance(leaf, Tensor) else leaf
