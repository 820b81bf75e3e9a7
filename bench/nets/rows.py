"""The skeleton of `Supernet` with a row of whole cells in every place: FaDE's hyper-architecture.

No two cells share a weight. The output of a row is the sum of its cells' outputs by architecture weight.
"""

from __future__ import annotations

from functools import lru_cache

from torch import Tensor, nn

from bench.nets.cell import Gates, Norm, weighted_sum
from bench.nets.supernet import STAGES, Draw, Precision, Regions, Shape, Supernet, cell_at, skeleton_multiply_adds, taps
from bench.spaces.rows import Chain
from bench.spaces.space import Genotype, Region, Space


class Row(nn.Module):
    """k candidates, each a stack of one cell; `cells[c]` is the stack of candidate c, `alone[c]` its genotype."""

    def __init__(self, row: int, cells: list[nn.ModuleList], alone: list[Region]) -> None:
        super().__init__()
        self.row, self.alone = row, alone
        self.cells = nn.ModuleList(cells)

    def forward(self, x: Tensor, gates: Gates | None, region: Region) -> Tensor:
        """`[B, C, H, W]` to the same shape; gates None means weight 1 on every allowed cell."""
        outputs: list[tuple[int, Tensor]] = []
        for op in region.lists[self.row]:
            y = x
            for cell in self.cells[op]:  # type: ignore[attr-defined]  # a ModuleList
                y = cell(y, None, self.alone[op])
            outputs.append((op, y))
        gated = [] if gates is None else [(y, gates.scalar(self.row, op)) for op, y in outputs]
        total = weighted_sum([y for _, y in outputs] if gates is None else [], gated)
        assert total is not None  # a region has a cell in every row
        return total


class ChainSupernet(Supernet):
    """All chains of a `Chain` space. Rows are spread evenly over the three stages; of three rows each is a stage."""

    space: Chain

    def _stage(self, stage: int, width: int, norm: Norm, kernel: Draw, lean: bool) -> nn.ModuleList:
        return nn.ModuleList(self._row(row, width, norm, kernel, lean) for row in rows_of(self.space, stage))

    def _row(self, row: int, width: int, norm: Norm, kernel: Draw, lean: bool) -> Row:
        stacks, alone = [], [_alone(cell) for cell in self.space.cells[row]]
        for c, region in enumerate(alone):
            places = [f"row{row}/cell{c}/layer{layer}" for layer in range(self.shape.cells)]
            cells = [cell_at(place, self.space.inner, width, norm, kernel, lean, region) for place in places]
            stacks.append(nn.ModuleList(cells))
        return Row(row, stacks, alone)

    def of_edge(self, edge: int) -> list[nn.Parameter]:
        """The parameters of all cells of row `edge`."""
        rows = (row for stage in self.stages for row in stage)  # type: ignore[attr-defined]
        return [p for row in rows if row.row == edge for p in row.parameters()]

    def multiply_adds(self, region: Regions) -> int:
        """Multiply-adds of one image's forward pass through all cells that `region` allows."""
        assert isinstance(region, Region)  # a row is one layer of choices: there are no cells to tell apart
        return skeleton_multiply_adds(self.shape, tuple(self.shape.cells * t for t in _stage_taps(self.space, region)))


def rows_of(space: Chain, stage: int) -> list[int]:
    """The rows that stand in a stage."""
    return [row for row in range(len(space.cells)) if row * STAGES // len(space.cells) == stage]


def _alone(cell: Genotype) -> Region:
    return Region.of([{op} for op in cell])


@lru_cache(maxsize=4096)
def _stage_taps(space: Chain, region: Region) -> tuple[int, ...]:
    def of_row(row: int) -> int:
        return sum(taps(space.inner, _alone(space.cells[row][c])) for c in region.lists[row])

    return tuple(sum(map(of_row, rows_of(space, stage))) for stage in range(STAGES))


def supernet_of(
    space: Space, shape: Shape, norm: Norm, seed: int, name: str, precision: Precision = "fp32"
) -> Supernet:
    """The supernet that holds all architectures of `space`."""
    kind = ChainSupernet if isinstance(space, Chain) else Supernet
    return kind(space, shape, norm, seed, name, precision=precision)
