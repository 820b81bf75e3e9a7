"""One supernet trained on one region, and the relaxations that make its discrete choice trainable.

DARTS, SNAS and RSPS differ in three functions: how architecture weights come from alpha (`theta`), how alpha moves
(`step`), and how one architecture is chosen at the end (`choose`). Everything else is here, once.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from bench.errors import BadRegion, Diverged
from bench.images.batches import Batch, Batches
from bench.nets.operations import Norm
from bench.nets.precision import arithmetic
from bench.nets.streams import torch_stream
from bench.nets.supernet import Precision, Supernet
from bench.search.meter import Meter
from bench.search.optimisers import SGD, Adam, Optimiser, State
from bench.search.trained import estimated
from bench.spaces.space import Genotype, Region, Space
from bench.store.spec import added, require_range
from bench.streams import numpy_stream


@dataclass(frozen=True)
class Training:
    """How a supernet and its architecture weights are trained.

    Defaults: DARTS on NAS-Bench-201 (Dong & Yang, ICLR 2020, and its released configuration): 50 epochs, SGD
    with Nesterov momentum, cosine from 0.025 to 0.001, Adam on alpha, gradient norm clipped at 5.
    """

    epochs: int = 50  # the paper's number; the scale shrinks it
    batch: int = 64
    learning_rate: float = 0.025
    learning_rate_end: float = 0.001
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    clip: float = 5.0  # gradient norm; 0 is none
    alpha_rate: float = 3e-4
    alpha_betas: tuple[float, float] = (0.5, 0.999)
    alpha_decay: float = 1e-3
    alpha_start: float = 1e-3  # standard deviation of the initial alpha; 0 as in the DARTS paper
    norm: Norm = Norm()
    precision: Precision = added("fp32")  # of training passes; scoring is always in single precision
    smoothing: float = added(0.0)  # of labels in the loss of the weights: the share that is spread over all classes

    nested: bool = added(False)  # whether kernels are parts of larger ones, where they can be (`bench.nets.nested`)

    def __post_init__(self) -> None:
        require_range(self, 1, "epochs", "batch")
        require_range(self, 0, "learning_rate", "learning_rate_end", "alpha_rate")
        require_range(self, 0, "weight_decay", "alpha_decay", "alpha_start", "clip")
        require_range(self, 0, "momentum", "alpha_betas", "smoothing", below=1)


Pass = tuple[Tensor | None, Region]
"""Architecture weights `[E, O]`, or None for weights of 1, and the region that is computed."""

Static = Literal["no", "mixture", "path"]
"""What a captured step may take for granted of `Relaxation.theta`. mixture: it is a function of alpha and of what
`Learner.given` gives, on the learner's whole region; path: it draws a path of weight 1; no: nothing."""


class Relaxation(ABC):
    """How a choice of operations is made trainable. Implementations are frozen dataclasses without state.

    It says `theta`, `step` and `choose`. Where it differs from what is said here, it says too whether alpha is trained
    (`trains_alpha`) and when (`alpha_turn`), on which loss (`single_level`), what else is trained with it (`more`), on
    what the weights are trained (`descents`), what a captured step may rely on (`static`), what comes before a step
    (`prepare`) and what is added to its loss (`teach`).
    """

    version: ClassVar[int]
    trains_alpha: ClassVar[bool] = True
    static: ClassVar[Static] = "no"

    @property
    def moves_alpha(self) -> bool:
        """Whether alpha is trained, as this relaxation is set."""
        return self.trains_alpha

    @property
    def as_trained(self) -> Relaxation:
        """One that trains alike, without what `choose` alone reads: two of which this is equal share their training."""
        return self

    @property
    def channel_share(self) -> int:
        """Into how many parts channels fall of which operations see one; 1 is all of them."""
        return 1

    @property
    def capture(self) -> Static:
        """`static`, as this relaxation is set."""
        return self.static

    @property
    def single_level(self) -> bool:
        """Whether alpha follows the training loss, in the same pass as the weights, and not `step`."""
        return False

    def more(self, space: Space) -> Mapping[str, Tensor]:
        """Other parameters of the architecture beside alpha, by name, as they start: one per edge, say."""
        return {}

    def alpha_turn(self, learner: Learner) -> bool:
        """Whether alpha is updated in the step that comes, where it is trained at all."""
        return True

    def descents(self, learner: Learner) -> Sequence[Pass]:
        """What a step of the weights computes: one pass, or several whose gradients add up."""
        return [self.theta(learner)]

    def remembers(self, learner: Learner) -> Mapping[str, Tensor]:
        """What is kept beside parameters from step to step, by name, as it starts."""
        return {}

    def watched(self, supernet: Supernet) -> Sequence[Tensor]:
        """Weights whose gradient at alpha's loss is left in `Learner.seen`."""
        return []

    def before_update(self, learner: Learner) -> None:
        """What is done between the backward pass of the weights and their update; nothing by default. A relaxation that
        does something is not `static`."""
        return

    def prepare(self, learner: Learner) -> None:
        """What is done to a supernet before a step of its training; nothing, unless a relaxation says otherwise."""
        return

    def teach(self, learner: Learner, batch: Batch, logits: Tensor) -> Tensor | None:
        """An extra loss of the weights' step, given the logits `[B, classes]` of `theta`; none by default. A relaxation
        that has one is not `static`: it adds passes of its own."""
        return None

    @abstractmethod
    def theta(self, learner: Learner) -> Pass:
        """Architecture weights `[E, O]` for one training step and the region they live on.

        A sampled path is its own region of one genotype, with None for weights of 1.
        """

    @abstractmethod
    def step(self, learner: Learner, train: Batch, valid: Batch) -> None:
        """One update of alpha, before the update of the weights; nothing where alpha is not trained."""

    @abstractmethod
    def choose(self, learner: Learner) -> tuple[Genotype, float]:
        """The architecture this learner proposes and its validation accuracy [0, 1] on shared weights."""


Lesson = Callable[["Learner", Batch, Tensor], Tensor]
"""An extra loss for a batch given the learner's logits `[B, classes]`: what siblings teach each other."""


class Stepper:
    """How the updates of one step are carried out: here, as they come."""

    def alpha(self, learner: Learner, train: Batch, valid: Batch) -> None:
        """The update of alpha."""
        learner.relaxation.step(learner, train, valid)

    def weights(self, learner: Learner, batch: Batch, lesson: Lesson | None, alpha: bool) -> Tensor:
        """The update of the weights; the loss of the batch."""
        return learner.update_weights(batch, lesson, alpha)

    def forget(self) -> None:
        """The learner's tensors were exchanged."""


@dataclass(frozen=True)
class Fit:
    """One call of `Learner.fit`: its steps, whether alpha is trained in it, and whether others teach in it."""

    steps: int
    alpha: bool
    taught: bool


class Keeper:
    """Keeps what is trained, epoch by epoch; this one keeps nothing, and every fit begins at its beginning."""

    def begun(self, learner: Learner, fit: Fit) -> int:
        """Called when a fit begins, whose state may be exchanged here; how many of its steps are done already."""
        return 0

    def reached(self, learner: Learner, steps: int) -> None:
        """Called at the end of every epoch of a fit, after so many of its steps."""


@dataclass(frozen=True)
class Halves:
    """The images that a search may see: for the weights, and for alpha and estimates."""

    train: Batches
    valid: Batches


@dataclass(frozen=True)
class Schedule:
    """Over how many epochs the learning rate falls, and over how many a temperature does."""

    epochs: float
    horizon: float


@dataclass(frozen=True)
class Harness:
    """What a learner lives in: whose random streams it draws from, who counts, keeps and carries out."""

    seed: int
    name: str  # of the supernet, in its streams
    meter: Meter
    stepper: Stepper = field(default_factory=Stepper)
    keeper: Keeper = field(default_factory=Keeper)
    estimated: Callable[[float], None] = lambda count: None  # told of how many architectures were estimated
    evaluation_batch: int = 500  # images of a batch of estimates


class Learner:
    """A supernet on a region, its alpha `[E, O]`, both optimisers and the learning-rate schedule."""

    def __init__(
        self,
        supernet: Supernet,
        region: Region,
        relaxation: Relaxation,
        training: Training,
        schedule: Schedule,
        halves: Halves,
        harness: Harness,
    ) -> None:
        self.space = space = supernet.space
        if len(region.allowed) != len(space.edges):
            raise BadRegion(
                f"a region of {len(region.allowed)} edges does not fit {space.name} ({len(space.edges)} edges)"
            )
        self.supernet, self.region = supernet, region
        self.relaxation, self.training, self.schedule = relaxation, training, schedule
        self.train, self.valid = halves.train, halves.valid
        self.seed, self.name, self.meter = harness.seed, harness.name, harness.meter
        self.stepper, self.keeper, self.estimated = harness.stepper, harness.keeper, harness.estimated
        self.evaluation_batch = harness.evaluation_batch
        seed, name = self.seed, self.name
        device = self.train.device
        shape = (len(space.edges), len(space.ops))
        start = torch.randn(shape, generator=torch_stream(seed, f"alpha/{name}")) * training.alpha_start
        self.alpha = torch.nn.Parameter(start.to(device))
        others = {name: start.contiguous().clone().to(device) for name, start in relaxation.more(space).items()}
        self.more = {name: torch.nn.Parameter(start) for name, start in others.items()}
        self.allowed = torch.from_numpy(region.mask(len(space.ops))).to(device)
        self.weights = list(supernet.parameters())
        self.optimiser, self.alpha_optimiser = self._descent(), self._alpha_descent()
        self.steps = 0
        self.paths = numpy_stream(seed, f"paths/{name}")
        self.noise = torch_stream(seed, f"noise/{name}")
        self._visitors = numpy_stream(seed, f"aside/paths/{name}"), torch_stream(seed, f"aside/noise/{name}")
        self._valid_stream = self.valid.endless()
        self.watched, self.seen = relaxation.watched(supernet), list[Tensor]()
        self.memory = {name: start.to(device) for name, start in relaxation.remembers(self).items()}
        self.curve: list[dict[str, float]] = []
        # While a captured step is written down or run: what the host makes anew for it.
        self.feeds: Callable[[Callable[[], Tensor]], Tensor] | None = None

    def _descent(self) -> SGD:
        """That of the weights."""
        how = self.training
        return SGD(self.weights, how.learning_rate, how.momentum, how.nesterov, how.weight_decay)

    def _alpha_descent(self) -> Adam:
        """That of alpha, and of the architecture's other parameters."""
        how = self.training
        return Adam([self.alpha, *self.more.values()], how.alpha_rate, how.alpha_betas, how.alpha_decay)

    @property
    def progress(self) -> float:
        """The share of the horizon's steps that is done, 0 to 1: what a temperature follows."""
        return min(1.0, self.steps / (self.schedule.horizon * len(self.train)))

    def fit(
        self,
        epochs: float | None = None,
        lesson: Lesson | None = None,
        each_epoch: Callable[[], None] | None = None,
        alpha: bool = True,
    ) -> Self:
        """Train for `epochs` (all that were planned by default), alpha and weights in turn; `alpha` false rests it.

        Of a part of an epoch the nearest number of steps is taken, on a shuffle of its own. Raises Diverged when the
        loss or alpha is no longer finite at the end of an epoch.
        """
        self.supernet.train()
        with arithmetic(self.alpha.device, self.training.precision):
            whole = round((self.schedule.epochs if epochs is None else epochs) * len(self.train))
            done = self.keeper.begun(self, Fit(whole, alpha, lesson is not None))
            while done < whole:
                done += self._epoch(lesson, alpha, whole - done)
                if each_epoch is not None:
                    each_epoch()
                self.keeper.reached(self, done)
        return self

    def _epoch(self, lesson: Lesson | None, alpha: bool, most: int) -> int:
        """One epoch, or its first steps where no more than so many are wanted; how many were taken."""
        total = torch.zeros((), device=self.alpha.device)
        steps = min(most, len(self.train))
        for batch in itertools.islice(self.train.epoch(), steps):
            self.relaxation.prepare(self)
            if alpha and self._alpha_turn():
                with self.meter.phase("alpha"):
                    self.stepper.alpha(self, batch, next(self._valid_stream))
            self._schedule()
            total += self.stepper.weights(self, batch, lesson, alpha)
            self.steps += 1
        loss = float(total) / steps  # the only wait for the device in an epoch, with the two that follow
        self.check_finite(loss)
        self.curve.append({"step": self.steps, "train_loss": loss})
        return steps

    def _alpha_turn(self) -> bool:
        """Whether alpha has a step of its own now."""
        how = self.relaxation
        return how.moves_alpha and not how.single_level and how.alpha_turn(self)

    def check_finite(self, loss: float) -> None:
        """Raises Diverged, naming what it is, where the loss, alpha or a weight is no longer a finite number."""
        length = torch.nn.utils.get_total_norm([w.detach() for w in self.weights])
        values = {"the loss": torch.tensor(loss), "alpha": self.alpha, **self.more, "a weight": length}
        broken = [name for name, value in values.items() if not bool(torch.isfinite(value).all())]
        if broken:
            raise Diverged(
                f"{broken[0]} of supernet {self.name} is no finite number after {self.steps} steps; lower the learning "
                "rate"
            )

    def update_weights(self, batch: Batch, lesson: Lesson | None = None, alpha: bool = True) -> Tensor:
        """One step of the weights, and of alpha where both follow one loss; the loss of the batch, without a graph."""
        return self.descend(batch, self.relaxation.descents(self), lesson, alpha)

    def descend(self, batch: Batch, passes: Sequence[Pass], lesson: Lesson | None = None, alpha: bool = True) -> Tensor:
        """`update_weights` by given passes, whose gradients add up; the mean of their losses. Nothing in it waits for
        the device."""
        joint = alpha and self.relaxation.moves_alpha and self.relaxation.single_level
        self.optimiser.zero_grad()
        self.alpha_optimiser.zero_grad()
        losses = []
        for theta, region in passes:
            logits = self.supernet(batch.images, theta if joint or theta is None else theta.detach(), region)
            loss = F.cross_entropy(logits, batch.labels, label_smoothing=self.training.smoothing)
            own = self.relaxation.teach(self, batch, logits)
            more = [*([] if own is None else [own]), *([] if lesson is None else [lesson(self, batch, logits)])]
            sum(more, loss).backward()
            losses.append(loss.detach())
        self.relaxation.before_update(self)
        if self.training.clip:
            torch.nn.utils.clip_grad_norm_(self.weights, self.training.clip)
        self.optimiser.step()
        if joint:
            self.alpha_optimiser.step()
        return losses[0] if len(losses) == 1 else torch.stack(losses).mean()

    def update_alpha(self, gradient: Tensor, **more: Tensor) -> None:
        """One Adam step of alpha along `gradient` `[E, O]`, and of the architecture's other parameters along theirs."""
        self.alpha.grad = gradient.contiguous()  # a fused optimiser reads memory as it lies
        for name, parameter in self.more.items():
            parameter.grad = more[name].contiguous()
        self.alpha_optimiser.step()

    def given(self, make: Callable[[], Tensor]) -> Tensor:
        """What the host makes anew for every step (noise, a temperature), on the device: `make` is called here, or
        before every replay of a captured step."""
        if self.feeds is not None:
            return self.feeds(make)
        return make().to(self.alpha.device)

    def _schedule(self) -> None:
        """Cosine between the two learning rates, updated at every step; in the code of NAS-Bench-201 at every epoch.

        A method that trains beyond the planned epochs sees the rate rise again, as the released schedulers do.
        """
        high, low = self.training.learning_rate, self.training.learning_rate_end
        share = self.steps / (self.schedule.epochs * len(self.train))
        self._set_rate(float(low + (high - low) * 0.5 * (1 + np.cos(np.pi * share))))

    def _set_rate(self, rate: float) -> None:
        if isinstance(self.optimiser.rate, Tensor):  # a captured step reads it there
            self.optimiser.rate.fill_(rate)
        else:
            self.optimiser.rate = rate

    @torch.no_grad()
    def adopt(self, parent: Learner, state: bool) -> Self:
        """Take the parent's weights; with `state` also its alpha, both optimisers and its place in the schedule."""
        self.supernet.load_state_dict(parent.supernet.state_dict())
        if state:
            self.alpha.copy_(parent.alpha)
            for name, parameter in self.more.items():
                parameter.copy_(parent.more[name])
            for name, kept in self.memory.items():
                kept.copy_(parent.memory[name])
            self.optimiser.adopt(parent.optimiser)
            self.alpha_optimiser.adopt(parent.alpha_optimiser)
            self.stepper.forget()
            self.steps, self.schedule = parent.steps, parent.schedule
        return self

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that training moves, as tensors and as JSON values: enough for `restore`."""
        tensors = {f"weights/{name}": value for name, value in self.supernet.state_dict().items()}
        tensors["alpha"] = self.alpha.detach()
        tensors.update({f"more/{name}": parameter.detach() for name, parameter in self.more.items()})
        tensors.update({f"memory/{name}": kept for name, kept in self.memory.items()})
        for which, optimiser in self._optimisers().items():
            for place, state in optimiser.remembered().items():
                tensors.update({f"{which}/{place}/{name}": value for name, value in state.items()})
        tensors.update({f"noise/{n}": noise.get_state() for n, (_, noise) in enumerate(self._draws())})
        tensors["order/train"] = self.train.drawn()
        tensors["order/valid"], begun, taken = self._valid_stream.place()
        tensors["order/pass"] = begun
        paths = [paths.bit_generator.state for paths, _ in self._draws()]
        rate = float(self.optimiser.rate)  # the unrolled step of alpha takes that of the step before
        return tensors, {"steps": self.steps, "rate": rate, "curve": self.curve, "paths": paths, "taken": taken}

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> None:
        """Go on as a learner would that was made like this one and had the given `state`."""

        def under(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

        self.supernet.load_state_dict(under("weights/"))
        self.alpha.copy_(tensors["alpha"])
        for name, value in under("more/").items():
            self.more[name].copy_(value)
        for name, value in under("memory/").items():
            self.memory[name].copy_(value)
        for which, optimiser in self._optimisers().items():
            remembered: dict[int, State] = {}
            for at, value in under(f"{which}/").items():
                place, name = at.split("/")
                remembered.setdefault(int(place), {})[name] = value
            optimiser.remember(remembered)
        for n, (paths, noise) in enumerate(self._draws()):
            noise.set_state(tensors[f"noise/{n}"])
            paths.bit_generator.state = plain["paths"][n]
        self.train.draw_from(tensors["order/train"])
        self._valid_stream.go_to(tensors["order/valid"], tensors["order/pass"], plain["taken"])
        self.steps, self.curve = plain["steps"], list(plain["curve"])
        self._set_rate(plain["rate"])
        self.stepper.forget()

    @contextmanager
    def trial(self) -> Iterator[None]:
        """Whatever is trained inside, on whatever region and at whatever rate, the learner is put back."""
        tensors, plain = self.state()
        kept = {name: value.clone() for name, value in tensors.items()}
        plain = {**plain, "curve": list(plain["curve"])}
        held = self.region, self.training, self.optimiser
        try:
            yield
        finally:
            region, self.training, self.optimiser = held
            self.narrow(region)
            self.restore(kept, plain)

    def narrow(self, region: Region) -> None:
        """Go on with another region of the same weights."""
        self.region = region
        self.allowed = torch.from_numpy(region.mask(len(self.space.ops))).to(self.alpha.device)
        self.stepper.forget()

    def tune(self, rate: float) -> None:
        """Go on at this learning rate, without the momentum of what was."""
        self.training = replace(self.training, learning_rate=rate, learning_rate_end=rate)
        self.optimiser = self._descent()
        self.stepper.forget()

    def _draws(self) -> tuple[tuple[np.random.Generator, torch.Generator], ...]:
        """The random streams of paths and noise: its own, and those of its visits."""
        return (self.paths, self.noise), self._visitors

    def _optimisers(self) -> dict[str, Optimiser]:
        return {"sgd": self.optimiser, "adam": self.alpha_optimiser}

    @contextmanager
    def aside(self, visitor: Learner | None = None) -> Iterator[None]:
        """Passes inside are as in training and leave no trace in it: draws come from other streams, the visitor's
        where it is another learner that looks at this one, and running statistics are put back."""
        own, kept = (self.paths, self.noise), [b.clone() for b in self.supernet.buffers()]
        self.paths, self.noise = (self if visitor is None else visitor)._visitors
        self.supernet.train()
        try:
            with arithmetic(self.alpha.device, self.training.precision):
                yield
        finally:
            self.paths, self.noise = own
            for buffer, value in zip(self.supernet.buffers(), kept, strict=True):
                buffer.copy_(value)

    @torch.no_grad()
    def mixture(self, images: Tensor, visitor: Learner | None = None) -> Tensor:
        """Logits `[B, classes]` of the whole region under the relaxation's weights, aside from training.

        visitor: the learner that is taught by them, whose fit then changes nothing in this one.
        """
        with self.aside(visitor):
            logits: Tensor = self.supernet(images, *self.relaxation.theta(self))
        return logits

    def mixture_accuracy(self) -> float:
        """Share of the validation images that the mixture gets right."""
        right = torch.zeros((), device=self.alpha.device)
        count = 0
        for batch in self.valid.in_order(self.evaluation_batch):
            right += (self.mixture(batch.images).argmax(1) == batch.labels).sum()
            count += len(batch.labels)
        return float(right) / count

    def masked_alpha(self) -> Tensor:
        """Alpha `[E, O]` with minus infinity where the region forbids the operation."""
        return self.alpha.masked_fill(~self.allowed, -torch.inf)

    def loss(self, batch: Batch, theta: Tensor | None, region: Region) -> Tensor:
        """Mean cross-entropy (nats) of a batch."""
        return F.cross_entropy(self.supernet(batch.images, theta, region), batch.labels)

    def alpha_gradient(self, loss: Tensor) -> Tensor:
        """The gradient of alpha `[E, O]`; zero where a region connects no input with an output."""
        return self._gradients(loss, [self.alpha])[0]

    def architecture_gradients(self, loss: Tensor) -> dict[str, Tensor]:
        """The gradients of alpha, as `gradient`, and of the architecture's other parameters, for `update_alpha`."""
        wanted = {"gradient": self.alpha, **self.more}
        return dict(zip(wanted, self._gradients(loss, list(wanted.values())), strict=True))

    def _gradients(self, loss: Tensor, wanted: Sequence[Tensor]) -> Sequence[Tensor]:
        found = torch.autograd.grad(loss, [*wanted, *self.watched], materialize_grads=True)
        self.seen = list(found[len(wanted) :])
        return found[: len(wanted)]

    @torch.no_grad()
    def estimate(self, genotype: Genotype, images: int | None = None) -> tuple[float, float]:
        """Accuracy [0, 1] and cross-entropy (nats) of one architecture on the shared weights, on validation images.

        images: how many, all by default. Batch statistics are those of batches of `evaluation_batch` images.
        """
        region = self.space.alone(self.space.check(genotype))
        self.supernet.eval()
        right = nats = torch.zeros((), device=self.alpha.device)
        count = 0
        for batch in self.valid.in_order(self.evaluation_batch, images):
            with arithmetic(self.alpha.device, "fp32"):
                logits = self.supernet(batch.images, None, region)
            right = right + (logits.argmax(1) == batch.labels).sum()
            nats = nats + F.cross_entropy(logits, batch.labels, reduction="sum")
            count += len(batch.labels)
        return float(right) / count, float(nats) / count

    def estimates(self, genotypes: Sequence[Genotype], images: int | None = None) -> NDArray[np.float64]:
        """`[n, 2]` accuracy and cross-entropy of each, as `estimate` gives them but to rounding; architectures that are
        one function on shared weights are computed, and paid for, once (`bench.nets.sweep`)."""
        checked = [self.space.check(g) for g in genotypes]
        charge, told = self.meter.charge_forward, lambda count: self.estimated(count)
        return estimated(self.supernet, self.valid, self.evaluation_batch, checked, images, charge, told)
