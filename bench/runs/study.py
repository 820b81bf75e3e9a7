"""Named grids of runs. A study is data: what it searches, with which methods, at which scale, from which seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench import spaces
from bench.errors import BadSpec, UnknownName
from bench.runs import grammar
from bench.store.bases import BASES
from bench.store.labels import parsed, printed
from bench.store.spec import RunSpec, scale_named, with_settings

BASELINES = ("random", "largest", "random-best-of-10")
ONE_SHOT = ("rsps", "darts", "darts-2nd", "snas")
SAMPLING = ("rsps-per-cell",)
PARTITION = tuple(BASES)
FAIR = tuple(f"{label}(protocol=fair)" for label in PARTITION)
RANKING = ("fade", "bayes")
FREE = ("parameters", "multiply-adds")
PASSES = 200  # over the training images, forward and back: DARTS's 50 epochs of four
ALONE = {
    "rsps": 100,
    "spos": 100,
    "fairnas": 20,
    "darts": 50,
    "darts-2nd": 20,
    "beta-darts": 50,
    "sdarts": 50,
    "oles": 50,
    "fairdarts": 50,
    "pc-darts": 59,
    "drnas": 50,
    "snas": 50,
    "gdas": 50,
    "reinmax": 50,
}
"""One-shot searches with the epochs that cost `PASSES`, to within one epoch."""
CURVE = ("rsps", "rsps(training.epochs=50)", "snas", "darts", "gdas", "gm-rsps")
"""Searches at their papers' epochs, and RSPS, whose are 250, at a fifth of them too."""
OPINIONS = tuple(
    f"{label}(opinion={opinion}, training.epochs={ALONE[label]})"
    for label in ("darts", "snas", "gdas", "drnas", "pc-darts", "fairdarts")
    for opinion in ("paths", "alpha", "perturbation")
)
"""Each of these trained once, and asked in three ways."""
FIRST = (
    *(*BASELINES, *FREE, "rsps", "darts", "snas"),
    *("fewshot-rsps(protocol=fair)", "gm-rsps(protocol=fair)", "hep(protocol=fair)", "fade(rounds=3)"),
)
"""The first run: one-shot searches and a search of each of the five papers at about the images of one supernet."""
AT_EQUAL_IMAGES = BASELINES + FREE + ONE_SHOT + FAIR
"""One-shot searches, and partition searches at the images of their base."""
RIVALS = (*FREE, "rsps-longer", "darts-2nd-longer", "snas-longer")
ABLATIONS = (
    *("gm-rsps-random", "gm-darts-random", "gm-darts-no-restart"),
    *("hep-no-smd", "hep-parent", "hep-siblings", "hep-edgewise", "hep-reversed", "hep-random-order"),
    *("fade-random", "fade-dependent", "fade-unregularised"),
)
SWITCHES = ("gm-darts(edges.by=random)",)
"""Ablations that are one setting of a named method."""
CONTINUATIONS = ("then-whole", "then-few-shot", "then-gm", "then-random-groups", "then-random", "then-gm-afresh")
DRAWS = ("then-random-groups(grouping.draw=1)", "then-random(edges.draw=1, grouping.draw=1)")
"""A second draw of what is random."""
CHAIN = (
    *BASELINES,
    *FREE,
    *("darts", "snas", "rsps", "spos", "proxyless", "proxyless-all", "shrink"),
    *("fewshot-rsps", "fewshot-proxyless", "gm-darts", "gm-proxyless", "gm-proxyless-random", "gm-shrink", "hep"),
)
"""What is compared on a chain of blocks."""
OF_OWN = (("least_steps", "10"), ("probe", "600"))
"""What the search for a search of our own changes in its scale: phases may be short, and a run is cheap to compare."""
OWN = (grammar.label(grammar.WINNER),) if grammar.WINNER else ()
"""The search that was found, at the images of its rivals; nothing before it is found."""
OWN_MACS = (grammar.label(grammar.WINNER, protocol="fair-macs", budget="330"),) if grammar.WINNER else ()
"""The same at their multiply-adds: those of 330 passes of single paths."""
RIVALS_OF_OWN = (
    "rsps(candidates=20, training.epochs=75)",
    "fewshot-rsps(base.candidates=20, base.training.epochs=75, protocol=fair)",
    "gm-rsps(base.candidates=20, base.training.epochs=75, protocol=fair)",
    "hep(base.training.epochs=49, protocol=fair)",
    "fade(inner.training.epochs=12, rounds=4)",
)
"""A search of each of the five papers' methods at 200 passes, choices included."""
_PATHS = (
    "rsps(candidates=20, training.epochs=148)",
    "fewshot-rsps(base.candidates=20, base.training.epochs=148, protocol=fair-macs)",
    "gm-rsps(base.candidates=20, base.training.epochs=148, protocol=fair-macs)",
)
RIVALS_OF_OWN_MACS = {
    "nb201": (*_PATHS, "hep(base.training.epochs=22, protocol=fair-macs)", "fade(inner.training.epochs=6, rounds=4)"),
    "macro": (*_PATHS, "hep(base.training.epochs=30, protocol=fair-macs)", "fade(inner.training.epochs=4, rounds=4)"),
}
"""The same at the multiply-adds of 330 passes of single paths, by space: how dear a mixture is differs. With fewer
HEP-NAS could not train all of its children."""
EVERY = BASELINES + ONE_SHOT + PARTITION + RANKING + RIVALS + SAMPLING + ABLATIONS


@dataclass(frozen=True)
class Study:
    """A grid: every method from every seed on one image set at one scale."""

    name: str
    about: str
    dataset: str
    scale: str
    methods: tuple[str, ...] = BASELINES + FREE + ONE_SHOT  # none: every one that is offered
    seeds: tuple[int, ...] = (0, 1, 2)
    space: str = "nb201"
    truth: str = "embedded"
    resized: tuple[tuple[str, str], ...] = ()  # fields of its scale that it sets, with their values
    shares: bool = False  # whether what its runs train in common is trained once (`bench.search.shared`)

    @property
    def labels(self) -> tuple[str, ...]:
        """The methods, by label; of a study that names none, all that `methods/` offers."""
        import methods  # by name, at run time: no module of `bench` depends on a method

        return self.methods or tuple(methods.offered())

    @property
    def sized(self) -> str:
        """The name of its scale, with what it changes in it."""
        return scale_named(self.scale, dict(self.resized)).name

    def specs(
        self, settings: Mapping[str, str] | None = None, resized: Mapping[str, str] | None = None
    ) -> list[RunSpec]:
        """All runs, seeds outermost, so that a study that is stopped has whole seeds. settings: of all its methods;
        resized: fields of its scale. Raises UnknownName, BadSpec."""
        import methods

        if len(set(self.seeds)) != len(self.seeds):
            raise BadSpec(f"seeds {list(self.seeds)} repeat; every seed is run once")
        spaces.get(self.space)
        scale = scale_named(self.scale, {**dict(self.resized), **(resized or {})})
        changes = [(name, {**own, **(settings or {})}) for name, own in map(parsed, self.labels)]
        configured = {printed(name, new): with_settings(methods.get(name, self.space), new) for name, new in changes}
        return [
            RunSpec(label, method, self.space, self.dataset, seed, scale)
            for seed in self.seeds
            for label, method in configured.items()
        ]

    def borrowed(self) -> str:
        """One line that names the methods without settings for this space; empty where there are none."""
        import methods

        known, names = methods.offered(), dict.fromkeys(parsed(label)[0] for label in self.labels)
        without = [name for name in names if not known[name].has_settings_for(self.space)]
        have, run = ("has", "it runs") if len(without) == 1 else ("have", "they run")
        said = f"{', '.join(without)} {have} no settings for {self.space}: {run} on those of {methods.STATED}"
        return said if without else ""


def _held_out(
    how: str, own: tuple[str, ...], rivals: Mapping[str, tuple[str, ...]], suffix: str = ""
) -> Iterator[Study]:
    """The search of our own against its rivals at one budget: on cells that the search for it did not see, and on
    another space."""
    judged = f"the search of our own and its rivals {how}, from other seeds"
    cells = f"{judged}, to be judged on the other half of the cells (two hours of one core)"
    chain = f"{judged}, on the chain of NAS-Bench-Macro (two hours of one core)"
    few = (("least_steps", "10"), ("probe", "200"))
    yield Study(
        f"own-cells{suffix}",
        cells,
        "patches",
        "decisive",
        (*own, *rivals["nb201"]),
        tuple(range(40, 48)),
        "nb201",
        resized=OF_OWN,
    )
    yield Study(
        f"own-macro{suffix}",
        chain,
        "patches",
        "decisive",
        (*own, *rivals["macro"]),
        tuple(range(40, 47)),
        "macro",
        resized=few,
    )


def _parts(own: tuple[str, ...]) -> Iterator[Study]:
    """Where a search of our own is found: it with one part at a time as plain as can be."""
    about = "the search of our own, and with one part at a time as plain as can be"
    if own:
        every = (*own, *grammar.ablations(grammar.WINNER))
        yield Study("own-parts", about, "patches", "decisive", every, tuple(range(40, 48)), resized=OF_OWN)


STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        Study("smoke", "every method once, in seconds: does it run?", "patches", "smoke", (), seeds=(0,)),
        Study(
            "nb201",
            "the first run: each paper's search at equal images (ten minutes of two cores)",
            "patches",
            "first",
            FIRST,
            seeds=(0, 1),
        ),
        Study(
            "nb201-partition",
            "the five papers' methods, their rivals and ablations, both protocols (some ten hours of one core)",
            "patches",
            "quick",
            (*EVERY, *SWITCHES, *FAIR, *dict.fromkeys(BASES.values())),
            seeds=(0, 1, 2, 3, 4),
        ),
        Study(
            "decisive",
            "what cuts gain over one supernet, from one parent each seed (results/studies/decisive.md; three hours)",
            "patches",
            "decisive",
            ("gumbel", *CONTINUATIONS, *DRAWS),
            seeds=tuple(range(8)),
            resized=(("channels", "16"), ("probe", "500")),
            shares=True,
        ),
        Study(
            "nb201-bases",
            "one supernet under every relaxation, at the images of DARTS's 50 epochs (a day of one core)",
            "patches",
            "decisive",
            (*BASELINES, *FREE, *(f"{label}(training.epochs={epochs})" for label, epochs in ALONE.items())),
            seeds=tuple(range(10)),
            resized=(("channels", "16"), ("probe", "500")),
        ),
        Study(
            "nb201-opinions",
            "supernets asked in several ways: by paths, by alpha, by perturbation (hours of one core)",
            "patches",
            "decisive",
            OPINIONS,
            seeds=tuple(range(8)),
            resized=(("channels", "16"), ("probe", "500")),
            shares=True,
        ),
        Study(
            "own-search",
            "searches drawn from a grammar, to be halved (results/studies/own.md; hours of one core)",
            "patches",
            "decisive",
            grammar.draws(32),
            seeds=tuple(range(20, 28)),
            resized=OF_OWN,
        ),
        *_held_out("at equal images", OWN, dict.fromkeys(("nb201", "macro"), RIVALS_OF_OWN)),
        *_held_out("at equal multiply-adds", OWN_MACS, RIVALS_OF_OWN_MACS, "-macs"),
        Study(
            "own-cifar10-jpeg",
            "the same at equal images on CIFAR-10 (JPEG), to be scored against the official table (hours)",
            "cifar10-jpeg",
            "decisive",
            (*OWN, *RIVALS_OF_OWN),
            seeds=tuple(range(40, 45)),
            truth="FILE",
            resized=(("least_steps", "5"), ("probe", "200"), ("train_images", "10000"), ("valid_images", "2500")),
        ),
        *_parts(OWN),
        Study(
            "toy-darts",
            "each kind of method on a DARTS space of two small cells (minutes)",
            "patches",
            "smoke",
            (*BASELINES, *FREE, *ONE_SHOT, *PARTITION, "fade", "bayes"),
            seeds=(0, 1),
            space="toy-darts",
        ),
        Study(
            "macro",
            "all bases on the chain of NAS-Bench-Macro, Few-Shot, GM-NAS, random cuts and HEP-NAS on them",
            "patches",
            "quick",
            CHAIN,
            seeds=(0, 1, 2, 3, 4),
            space="macro",
        ),
        Study(
            "macro-cifar10-jpeg",
            "the same on CIFAR-10 (JPEG), to be scored against the converted NAS-Bench-Macro (hours)",
            "cifar10-jpeg",
            "mini",
            CHAIN,
            seeds=(0, 1),
            space="macro",
            truth="FILE",
        ),
        Study(
            "darts-quick",
            "the papers' searches on the DARTS space, HEP-NAS at the images of its base; `retrain` judges them (hours)",
            "patches",
            "quick",
            ("random", "rsps", "darts", "snas", "fewshot", "gm-darts", "hep(protocol=fair)"),
            space="darts",
            resized=(("probe", "100"),),
        ),
        Study(
            "nb201-cifar10-jpeg",
            "small supernets on CIFAR-10 (JPEG), to be scored against the official table (hours)",
            "cifar10-jpeg",
            "mini",
            AT_EQUAL_IMAGES,
            seeds=(0, 1),
            truth="FILE",
        ),
        Study(
            "nb201-cifar10-jpeg-wide",
            "the same at the papers' width and on their split, twice as deep (for a GPU: a quarter of an hour)",
            "cifar10-jpeg",
            "wide",
            AT_EQUAL_IMAGES,
            seeds=(0, 1),
            truth="FILE",
        ),
        Study(
            "nb201-cifar10-jpeg-paper",
            "tau against training at the papers' size, the whole space estimated (days of a GPU; docs/clusters.md)",
            "cifar10-jpeg",
            "paper",
            CURVE,
            truth="FILE",
        ),
    )
}


def study_named(name: str) -> Study:
    """The study of that name. Raises UnknownName with the nearest one."""
    if name not in STUDIES:
        raise UnknownName("study", name, STUDIES)
    return STUDIES[name]


def changed(study: Study, **fields: str | Sequence[str] | Sequence[int] | None) -> Study:
    """The study with the given fields replaced; None and empty leave a field as it is. What a study changes in its own
    scale goes with that scale."""
    new = {k: tuple(v) if isinstance(v, (list, tuple)) else v for k, v in fields.items() if v not in (None, (), [])}
    return Study(**{**vars(study), **({"resized": ()} if "scale" in new else {}), **new})
