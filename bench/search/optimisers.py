"""Momentum SGD and Adam in a few kernels for all parameters, which nothing in them waits for.

The kernels are torch's (`torch.optim.sgd.sgd`, `torch.optim.adam.adam`), and so are the numbers, to the bit. torch's
classes around them load its compiler when they are made: 1.3 CPU seconds, as much as all the rest of torch, in every
process that trains.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.sgd import sgd

State = dict[str, Tensor]
"""What an optimiser remembers of one parameter, by name."""

MOMENTUM = "momentum_buffer"


class Optimiser(ABC):
    """Moves parameters along their gradients; those without a gradient rest, and so does what is remembered of them.

    rate: of the next step; a tensor where a captured step reads it.
    """

    def __init__(self, parameters: Sequence[Tensor], rate: float | Tensor, decay: float) -> None:
        self.parameters, self.rate, self.decay = list(parameters), rate, decay
        self.state: dict[Tensor, State] = {parameter: {} for parameter in self.parameters}

    def zero_grad(self) -> None:
        """No parameter has a gradient."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """One step."""
        moved = [parameter for parameter in self.parameters if parameter.grad is not None]
        if moved:
            self._move(moved, [parameter.grad for parameter in moved if parameter.grad is not None])

    @abstractmethod
    def _move(self, moved: list[Tensor], gradients: list[Tensor]) -> None:
        """Along these gradients."""

    def remembered(self) -> dict[int, State]:
        """`state` by the parameters' places, of those that have one."""
        return {place: dict(self.state[p]) for place, p in enumerate(self.parameters) if self.state[p]}

    def remember(self, remembered: Mapping[int, State]) -> None:
        """Go on from copies of what another of this kind remembered, on any device, laid as the parameters lie: a
        kernel for all of them reads memory without asking for its order."""

        def copied(value: Tensor, parameter: Tensor) -> Tensor:
            if value.shape == parameter.shape:
                return torch.empty_like(parameter, requires_grad=False).copy_(value)
            return value.to(parameter.device, copy=True)

        for place, parameter in enumerate(self.parameters):
            found = remembered.get(place, {})
            self.state[parameter] = {name: copied(value, parameter) for name, value in found.items()}

    @torch.no_grad()
    def adopt(self, other: Self) -> None:
        """Go on as another does, which shares no tensor with this one."""
        self.rate = other.rate.clone() if isinstance(other.rate, Tensor) else other.rate
        self.decay = other.decay
        self.remember(other.remembered())


class SGD(Optimiser):
    """Stochastic gradient descent, with Nesterov's momentum or without."""

    def __init__(
        self, parameters: Sequence[Tensor], rate: float | Tensor, momentum: float, nesterov: bool, decay: float
    ) -> None:
        super().__init__(parameters, rate, decay)
        self.momentum, self.nesterov = momentum, nesterov and momentum > 0
        if momentum:  # before the first gradient: which parameters get one differs from path to path
            self.state = {p: {MOMENTUM: torch.zeros_like(p)} for p in self.parameters}

    def _move(self, moved: list[Tensor], gradients: list[Tensor]) -> None:
        sgd(
            moved,
            gradients,
            [self.state[p][MOMENTUM] for p in moved] if self.momentum else [],
            fused=True,
            weight_decay=self.decay,
            momentum=self.momentum,
            lr=self.rate,  # type: ignore[arg-type]  # a tensor is taken too
            dampening=0.0,
            nesterov=self.nesterov,
            maximize=False,
        )

    def adopt(self, other: Self) -> None:
        """Go on as another does, which shares no tensor with this one."""
        super().adopt(other)
        self.momentum, self.nesterov = other.momentum, other.nesterov


class Adam(Optimiser):
    """Adam (Kingma & Ba, 2015), its weight decay added to the gradient."""

    def __init__(
        self, parameters: Sequence[Tensor], rate: float | Tensor, betas: tuple[float, float], decay: float
    ) -> None:
        super().__init__(parameters, rate, decay)
        self.betas = betas

    def _move(self, moved: list[Tensor], gradients: list[Tensor]) -> None:
        for parameter in moved:
            if not self.state[parameter]:
                self.state[parameter] = {
                    "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                }
        states = [self.state[parameter] for parameter in moved]
        adam(
            moved,
            gradients,
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=True,
            capturable=moved[0].device.type == "cuda",
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=self.rate,
            weight_decay=self.decay,
            eps=1e-8,
            maximize=False,
        )

    def adopt(self, other: Self) -> None:
        """Go on as another does, which shares no tensor with this one."""
        super().adopt(other)
        self.betas = other.betas
