"""`evolve`: regularised evolution over what supernets estimated and over the truth, as Few-Shot NAS compares them.

Its figure (Zhao et al., ICML 2021, section 4) shows the best accuracy against the number of architectures that a search
asked for. Nothing is trained here, and no table is asked: estimates are those that a run left, truths those that its
score met. A search never sees this; `methods/evolution.py` breeds by scores and does not know whose they are.

Evolution breeds among the architectures of the probe, as others have no estimate: a child that is none of them is drawn
again. Where they are a small share of the space few neighbours are known, and evolution gets stuck between them; such
runs are left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.cli.outcome import Common, ended
from bench.errors import BadRecord, BadSpec, BenchError, counted

if TYPE_CHECKING:  # no command loads an array library before it is known
    import numpy as np
    from numpy.typing import NDArray

LEAST = 0.4
"""The share of a space that a probe must be."""
SAMPLES = (1, 2, 3, 5, 8, 12, 18, 25, 35, 50, 70, 100, 140, 200, 300, 400, 600, 800, 1_000)
"""At which curves are kept, as far as they go."""

Known = dict[Hashable, tuple[float, ...]]


@dataclass(frozen=True, kw_only=True)
class Evolve(Common):
    """Breed over the estimates that runs left, and over the truth, and keep the best true accuracy against the number
    of samples: the comparison of Few-Shot NAS. Trains nothing; runs must have been scored. What exists is not made
    again."""

    methods: tuple[str, ...] = ()
    """Labels of runs; by default Few-Shot NAS, what it is without a cut, RSPS and SPOS."""
    samples: int = 300
    """Architectures that an evolution scores; a third of the probe at most."""
    repeats: int = 10
    """Evolutions of each kind, over which curves are means."""

    def __call__(self) -> int:
        from bench.store.record import Results, read_scores

        if self.samples < 1 or self.repeats < 1:
            raise BadSpec(f"{self.samples} samples and {self.repeats} repeats: evolve takes 1 or more of each")
        results = Results(self.results)
        results.check_there()
        results.check_writable()
        made, kept, small = [], 0, 0
        known: Known = {}
        for record in results.records():
            if not self._wanted(record.label) or record.estimates is None:
                continue
            for path in sorted((results.root / "scores").glob(f"{record.key}.*.json")):
                try:
                    for score in read_scores(path):
                        done = None if score.pairs is None else self._of(record, score, results, known)
                        made += [done] if isinstance(done, str) else []
                        kept += done is True
                        small += done is False
                except BadRecord as error:
                    results.damaged[path] = str(error)
        if not made and not kept:
            ended(results, 2)
            raise BenchError(
                f"{self.results} holds no scored run of these methods whose probe is {LEAST:.0%} of its space or more"
                f" ({counted(small, 'score')} of smaller ones); estimate all, by --scale.probe 0 or"
                f" `estimate KEY --cells 0`, then {results.command('score')}"
            )
        said = f"{counted(len(made), 'file')} in {self.results}/evolved; {kept:,} were there; {small:,} of small probes"
        print(json.dumps(made) if self.json else said)
        return ended(results, 0)

    def _wanted(self, label: str) -> bool:
        from bench.store.bases import BASES

        if self.methods:
            return label in self.methods
        bases = [base for name, base in BASES.items() if name.startswith("fewshot")]
        return label.startswith("fewshot") or label in ("rsps", "spos", *bases)

    def _of(self, record: Any, score: Any, results: Any, known: Known) -> str | bool:
        """The path of what was made; True where it was there, False where the probe is too small."""
        import numpy as np

        from bench import spaces
        from bench.runs import probe
        from bench.scoring import truths
        from bench.store import evolved
        from methods.evolution import Ageing

        space = spaces.get(record.identity["space"])
        keys, values = probe.of_record(record.key, record.estimates, results)
        true = truths.read(results.truths_path(score.truth, score.target))
        if true.checksum != score.truth_checksum:
            raise BadRecord(
                f"truths of {score.truth} are newer than a score of {record.key}; {results.command('score')}"
            )
        test = true.at(keys).columns["test"].astype(np.float64)
        both = np.isfinite(values[:, 0]) & np.isfinite(test)
        if both.sum() < LEAST * space.size:
            return False
        search = Ageing(samples=max(1, min(self.samples, int(both.sum()) // 3)))
        path = evolved.path_of(results, record.key, score.truth, score.target)
        digest = str(record.estimates["blake2b"])
        if path.exists() and self._same(evolved.read(path), search, score.truth_checksum, digest):
            return True
        among = Among(space, probe.genotypes_of(space, keys[both]))
        found = self._bred(search, among, values[both, 0], test[both], record, score, digest, known)
        return str(evolved.save(results, found))

    def _same(self, found: Any, search: Any, checksum: str, digest: str) -> bool:
        from bench.store.spec import described

        wanted = (described(search), self.repeats, checksum, digest)
        return bool((found.search, found.repeats, found.truth_checksum, found.estimates) == wanted)

    def _bred(
        self,
        search: Any,
        among: Among,
        estimates: NDArray[np.float64],
        test: NDArray[np.float64],
        record: Any,
        score: Any,
        digest: str,
        known: Known,
    ) -> Any:
        from bench import metrics
        from bench.store.evolved import Evolved
        from bench.store.spec import described

        samples = [n for n in SAMPLES if n <= search.samples]
        same = (score.truth, score.target, tuple(among.genotypes))  # runs of one probe share what the truth tells
        if same not in known:
            known[same] = self._curve(search, among, test, test, samples)
        return Evolved(
            key=record.key,
            truth=score.truth,
            target=score.target,
            truth_checksum=score.truth_checksum,
            estimates=digest,
            search=described(search),
            repeats=self.repeats,
            architectures=len(test),
            share=len(test) / among.space.size,
            samples=tuple(samples),
            by_estimates=self._curve(search, among, estimates, test, samples),
            by_truth=known[same],
            at_random=tuple(metrics.random_best_of_n(test, n) for n in samples),
        )

    def _curve(
        self,
        search: Any,
        among: Among,
        values: NDArray[np.float64],
        test: NDArray[np.float64],
        samples: Sequence[int],
    ) -> tuple[float, ...]:
        """The mean over repeats of the true accuracy of the best by `values` after so many samples. All begin with the
        same architectures, whatever they are told."""
        import numpy as np

        from bench.streams import numpy_stream

        total = np.zeros(len(samples))
        for repeat in range(self.repeats):
            visited = search.run(among, among.space.region, among.scorer(values), numpy_stream(repeat, "evolve"))
            rows = [among.rows[genotype] for genotype in visited.scores]  # in the order in which they were asked for
            best = [rows[place] for place in _best_so_far(values[rows])]
            total += [test[best[min(n, len(best)) - 1]] for n in samples]
        return tuple((total / self.repeats).tolist())


class Among:
    """A list of architectures of a space, as what evolution asks of one: whatever is not listed is none."""

    def __init__(self, space: Any, genotypes: Sequence[Any]) -> None:
        self.space, self.name, self.genotypes = space, space.name, list(genotypes)
        self.rows = {genotype: row for row, genotype in enumerate(self.genotypes)}

    def count(self, region: Any) -> int:
        """Those that are listed."""
        return len(self.genotypes)

    def feasible(self, genotype: Any) -> bool:
        """Whether it is listed."""
        return genotype in self.rows

    def admits(self, region: Any, genotype: Any) -> bool:
        """Whether it is listed; the region is the whole."""
        return genotype in self.rows

    def sample(self, region: Any, rng: np.random.Generator) -> Any:
        """One of them."""
        return self.genotypes[int(rng.integers(len(self.genotypes)))]

    def listed(self, region: Any) -> Iterator[Any]:
        """All of them."""
        return iter(self.genotypes)

    def scorer(self, values: NDArray[np.float64]) -> Callable[[Sequence[Any]], NDArray[np.float64]]:
        """What evolution is told."""
        return lambda genotypes: values[[self.rows[genotype] for genotype in genotypes]]


def _best_so_far(values: NDArray[np.float64]) -> list[int]:
    """Where the best of the first 1, 2, … values stands; of equals the earlier."""
    best = 0
    places: list[int] = []
    for place, value in enumerate(values):
        best = place if value > values[best] else best
        places.append(best)
    return places
