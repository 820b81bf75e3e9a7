"""GM-NAS (Hu, Wang, Hong, Li, Hsieh & Feng, ICLR 2022, arXiv 2203.15207).

Few-Shot NAS with fewer and better sub-supernets: an edge is cut into two groups of operations whose gradients on the
shared weights agree (`methods/matching.py`), so that those that pull the weights apart are parted. Of the edges that
are still whole, every supernet cuts the one whose groups lie farthest apart.

NAS-Bench-201 settings are those of the authors' code: cuts after 15 and 30 epochs (20 and 40 for RSPS), alpha at its
start until then; after the last cut the four sub-supernets start anew and train for 30 epochs (50). On the DARTS space
edges of normal cells are cut after 2, 4 and 6 epochs, the one whose groups agree best (the code's rule there), with the
weights that alpha gives; the eight sub-supernets train for 15 epochs.

The two MobileNet searches of the authors' code (Proxylessnas-GM and once-for-all-GM) are on choices of blocks:

- `gm-proxyless`: ProxylessNAS, blocks cut after 40 and 80 of its 120 epochs of search into two groups, then three; of
  the blocks that are whole the one whose groups agree best (`edges.by="within"`). Children go on as they are.
- `gm-shrink`: progressive shrinking; kernel sizes alone are cut (`grouping.of="kernels"`), after 30, 60 and 90 epochs
  of the phase of kernels, in the block whose groups lie farthest apart (`edges.by="between"`), by a rule that is no
  minimum cut (`grouping.rule="ofa"`). Depth is left to every child.

The two contradict each other in the sign of the criterion, so it is a setting of each. In the code the three groups of
`gm-proxyless` are always the first, second and third pair of operations, because a sum is never set back; here they are
those of least distance. The first block is no candidate there; here all layers are. Distances of `gm-shrink` are of the
loss of the labels alone.

Deviations:

- The authors look every sub-supernet's proposal up in the table and report the best. Here that one is chosen whose
  supernet is most accurate on validation images, as a mixture (with RSPS and SNAS the proposal by itself: `judge`);
  the table's favourite shows in the score as the best candidate.
- RSPS draws any path; the authors' code draws again where a path is not connected.
- Searched operations use batch statistics in all methods; the code keeps running ones.
- SNAS's alpha starts around 0, not 1: the same softmax, but decay pulls it to an even one.
- The number of batches for matching shrinks with the scale, as epochs do.
- On the DARTS space (`darts`) the supernets' first cosine ends at the restart, after 6 epochs; in the code it is one of
  21. Matching compares the gradients of all that cells share, there too; the code leaves out what brings inputs to a
  cell's width. The authors retrain all eight proposals and halve their number; here the supernet chooses.
- With DARTS of second order a child's unrolled step includes the momentum that it inherits; in the code it has none
  where the cut took a convolution away.
- Every epoch is shuffled anew; the code draws a fresh shuffle for the batch of every step.
- `gm-darts-no-restart` differs from `gm-darts` in that alone; in the code alpha then trains from the first epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from bench.errors import BadSpec
from bench.search.learner import Learner
from bench.search.task import Task
from bench.spaces.space import Region
from bench.store.spec import added
from methods.bases import base_of
from methods.matching import Matching, RandomGroups, of_draw
from methods.oneshot import OneShot
from methods.partition import Partition
from methods.parts import EdgeChoice, Grouping, Split, edges_of
from methods.proxyless import Proxyless
from methods.shrink import Shrink


@dataclass(frozen=True)
class OneEdge(EdgeChoice):
    """One edge per cut, of those that are still whole; supernets of a level choose for themselves."""

    version: ClassVar[int] = 1
    by: Literal["between", "within", "random"] = "between"  # largest cut; least sum within groups; any
    cells: tuple[str, ...] = added(())  # of these types; of all where none is named
    draw: int = added(0)  # of a random edge, another each

    def needs_distances(self) -> bool:
        """Unless the edge is drawn."""
        return self.by != "random"

    def check(self, task: Task, levels: int) -> None:
        """There is an edge for every level."""
        edges = self._whole(task, task.region)
        if levels > len(edges):
            raise BadSpec(f"{levels} levels cut {levels} edges, {task.space.name} has {len(edges)}; plan fewer levels")

    def _whole(self, task: Task, region: Region) -> list[int]:
        own = edges_of(task.space, self.cells)
        return [edge for edge in region.uncut(task.region) if edge in own]

    def compared(self, task: Task, level: int) -> list[int]:
        """All edges that are whole at this level, the largest having been cut first; or the one that is drawn."""
        sizes = sorted((len(task.region.allowed[edge]) for edge in self._whole(task, task.region)), reverse=True)
        return sizes[level:] if self.by != "random" else sizes[level : level + 1]

    def cut_sizes(self, task: Task, level: int) -> list[int]:
        """One edge."""
        return self.compared(task, level)[:1]

    def candidates(self, task: Task, parent: Learner, level: int) -> list[int]:
        """All whole edges where they are compared, else the one that is drawn."""
        whole = self._whole(task, parent.region)
        return (
            whole
            if self.by != "random"
            else [int(task.stream(f"edge/{parent.name}{of_draw(self.draw)}").choice(whole))]
        )

    def chosen(self, splits: Mapping[int, Split]) -> list[int]:
        """The best edge; of equals the first."""
        score = {edge: split.between if self.by == "between" else -split.within for edge, split in splits.items()}
        return [max(score, key=lambda edge: score[edge])]


BASE = base_of("gm-darts")
MATCHING, RANDOM, LARGEST_CUT, ANY_EDGE = Matching(), RandomGroups(), OneEdge(), OneEdge("random")


@dataclass(frozen=True)
class GmNas(Partition):
    """Cuts by gradient matching; the defaults are those of DARTS on NAS-Bench-201."""

    version: ClassVar[int] = 2
    grouping: Grouping = MATCHING
    edges: EdgeChoice = LARGEST_CUT
    base: OneShot = BASE
    levels: tuple[int, ...] = (15, 15)
    final: int = 30
    restart: bool = True
    alpha_waits: bool = True
    # As in the code, where the rate of the new start ends near 0.013, while its temperature falls all the way.
    period: Literal["chain", "levels", "all"] = "all"


OF_GATES = GmNas(
    grouping=Matching(into=(2, 3)),
    edges=OneEdge("within"),
    base=Proxyless(),
    levels=(80, 40),  # with the 40 epochs in which alpha rests
    final=40,
    restart=False,
    alpha_waits=False,
    judge="proposal",
)
OF_KERNELS = GmNas(
    grouping=Matching(of="kernels", rule="ofa"),
    base=Shrink(),
    levels=(210, 30, 30),  # with the 180 epochs of the largest
    final=175,
    restart=False,
    alpha_waits=False,
    judge="proposal",
)
OF_PATHS = GmNas(base=base_of("gm-rsps"), levels=(20, 20), final=50)

VARIANTS = {
    "gm-darts": GmNas(),
    "gm-snas": GmNas(base=base_of("gm-snas"), judge="proposal"),
    "gm-rsps": OF_PATHS,
    "gm-darts-random": GmNas(grouping=RANDOM, edges=ANY_EDGE),
    "gm-rsps-random": replace(OF_PATHS, grouping=RANDOM, edges=ANY_EDGE),
    "gm-darts-no-restart": GmNas(restart=False),
    "gm-proxyless": OF_GATES,
    "gm-proxyless-random": replace(OF_GATES, grouping=RandomGroups(into=(2, 3)), edges=ANY_EDGE),
    "gm-shrink": OF_KERNELS,
}

# The code of WS-GM/sota, space s5.
OF_CELLS = GmNas(
    grouping=Matching(weight="soft"),
    edges=OneEdge("within", cells=("normal",)),
    base=base_of("gm-darts", "darts"),
    levels=(2, 2, 2),
    final=15,
    period="chain",
)
SETTINGS = {
    "macro": {label: VARIANTS[label] for label in ("gm-proxyless", "gm-proxyless-random", "gm-shrink")},
    "darts": {
        "gm-darts": OF_CELLS,
        "gm-snas": replace(OF_CELLS, base=base_of("gm-snas", "darts"), judge="proposal"),
        "gm-darts-random": replace(OF_CELLS, grouping=RANDOM, edges=OneEdge("random", cells=("normal",))),
        "gm-darts-no-restart": replace(OF_CELLS, restart=False),
    },
}
