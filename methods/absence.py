"""How bad a mixture is without one of its operations: what DARTS-PT compares."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.search.learner import Learner

By = Literal["accuracy", "loss"]


@torch.no_grad()
def without(learner: Learner, theta: Tensor, edge: int, op: int | None, by: By = "accuracy") -> float:
    """1 minus its accuracy, or its loss (nats), on the validation images, without an operation of an edge, or without
    the edge (None). The other weights `[E, O]` stay as they are."""
    gates = theta.detach().clone()
    gates[edge, slice(None) if op is None else op] = 0
    right = nats = torch.zeros((), device=theta.device)
    count = 0
    with learner.aside():
        for batch in learner.valid.in_order(learner.evaluation_batch):
            logits = learner.supernet(batch.images, gates, learner.region)
            right = right + (logits.argmax(1) == batch.labels).sum()
            nats = nats + F.cross_entropy(logits, batch.labels, reduction="sum")
            count += len(batch.labels)
    return float(nats) / count if by == "loss" else 1 - float(right) / count
