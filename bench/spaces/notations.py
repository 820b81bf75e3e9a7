"""How the architectures of the DARTS space are written elsewhere: four notations, read and written, never evaluated.

All of them list, for each of the two cell types, two items a node: an operation and the input that it is applied to.
Inputs are numbered 0 and 1 for the two cells before, 2 to 5 for the nodes. The order of a node's two items, which
means nothing, is kept here; a genotype drops it.

Sources: `Genotype(...)` as quark0/darts f276dd34 prints it (cnn/genotypes.py); the compact tuple and the configuration
as automl/NASLib 10b52d6e converts them (naslib/search_spaces/nasbench301/conversions.py); the order of operations in
the tuple is also that of naszilla 9a58c175 (nas_bench_301/cell_301.py).
"""

from __future__ import annotations

import ast
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from bench.errors import BadGenotype, UnknownName

Item = tuple[str, int]
"""An operation and the input that it is applied to."""

Cells = Mapping[str, tuple[Item, ...]]
"""The items of each cell type, two a node, nodes in order."""

KINDS = ("normal", "reduce")
INPUTS, NODES = 2, 4
RESULTS = tuple(range(INPUTS, INPUTS + NODES))
EDGES = tuple((source, node) for node in RESULTS for source in range(node))
"""Input and node of the edges of a cell, as they are numbered."""

COMPACT = (
    *("max_pool_3x3", "avg_pool_3x3", "skip_connect"),
    *("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"),
)
"""The operations as the compact tuple numbers them."""

LONGEST = 20_000
"""Characters of a text that is read; the longest notation takes about 2,500."""


class Notation(ABC):
    """One way to write an architecture."""

    name: ClassVar[str]

    @abstractmethod
    def fits(self, text: str) -> bool:
        """Whether a text looks like this notation, right or wrong."""

    @abstractmethod
    def read(self, text: str) -> Cells:
        """The items of a text. Raises BadGenotype with the place and what is legal there."""

    @abstractmethod
    def write(self, cells: Cells) -> str:
        """The text of these items."""

    def doubt(self, cells: Cells) -> str:
        """What else a text with these items could mean; empty where it is beyond doubt."""
        return ""


class Quark0(Notation):
    """`Genotype(normal=[('skip_connect', 1), …], normal_concat=range(2, 6), reduce=[…], reduce_concat=range(2, 6))`."""

    name: ClassVar[str] = "quark0"

    def fits(self, text: str) -> bool:
        """It begins with the word."""
        return text.startswith("Genotype")

    def read(self, text: str) -> Cells:
        """Four fields by name; both cells give all their nodes."""
        fields = self._fields(parsed(text))
        for kind in KINDS:
            found = _whole(fields[f"{kind}_concat"], f"{kind}_concat")
            if found != RESULTS:
                raise BadGenotype(f"{kind}_concat is {str(found)[:40]!r}; legal: {list(RESULTS)} or range(2, 6)")
        return {kind: _items(plain(fields[kind], kind), kind) for kind in KINDS}

    def _fields(self, call: ast.expr) -> dict[str, ast.expr]:
        wanted = sorted([*KINDS, *(f"{kind}_concat" for kind in KINDS)])
        if (
            not isinstance(call, ast.Call)
            or ast.dump(call.func) != ast.dump(ast.Name("Genotype", ast.Load()))
            or call.args
        ):
            raise BadGenotype(f"the text is no Genotype(...) of the fields {', '.join(wanted)}, by name")
        names = [str(field.arg) for field in call.keywords]
        if sorted(names) != wanted:
            raise BadGenotype(f"Genotype has the fields {', '.join(names)}; legal, once each: {', '.join(wanted)}")
        return {str(field.arg): field.value for field in call.keywords}

    def write(self, cells: Cells) -> str:
        """As cnn/genotypes.py keeps them."""
        return f"Genotype({', '.join(f'{k}={[*cells[k]]}, {k}_concat={[*RESULTS]}' for k in KINDS)})"


class Compact(Notation):
    """`(((0, 3), (1, 3), …), (…))`: normal, then reduction cell; pairs of an input and the number of an operation."""

    name: ClassVar[str] = "naslib"

    def fits(self, text: str) -> bool:
        """It begins with a bracket."""
        return text.startswith(("(", "["))

    def read(self, text: str) -> Cells:
        """Two sequences of pairs."""
        cells = plain(parsed(text), "the text")
        if not isinstance(cells, tuple) or len(cells) != len(KINDS):
            raise BadGenotype("the compact text takes two tuples of pairs, the normal cell and the reduction cell")
        pairs = {kind: _pairs(cell, kind) for kind, cell in zip(KINDS, cells, strict=True)}
        return {kind: tuple(self._item(pair, f"{kind}[{k}]") for k, pair in enumerate(pairs[kind])) for kind in KINDS}

    @staticmethod
    def _item(pair: Sequence[Any], place: str) -> Item:
        source, op = (_number(value, place) for value in pair)
        if not 0 <= op < len(COMPACT):
            legal = ", ".join(f"{k} {name}" for k, name in enumerate(COMPACT))
            raise BadGenotype(f"{place} is {tuple(pair)}: there is no operation {op}; legal: {legal}")
        return COMPACT[op], source

    def write(self, cells: Cells) -> str:
        """As a tuple of tuples."""
        return str(tuple(tuple((source, COMPACT.index(op)) for op, source in cells[kind]) for kind in KINDS))

    def doubt(self, cells: Cells) -> str:
        """Where the pairs would be legal the other way round, too, and name another architecture."""
        turned = {kind: tuple((COMPACT[source], COMPACT.index(op)) for op, source in cells[kind]) for kind in KINDS}
        sources = [(k // 2, source) for kind in KINDS for k, (_, source) in enumerate(turned[kind])]
        legal = all(source < INPUTS + node for node, source in sources)
        distinct = all(one != other for one, other in zip(sources[::2], sources[1::2], strict=True))
        if turned == cells or not legal or not distinct:
            return ""
        return "its pairs may be (input, operation), as NASLib has them, or (operation, input)"


class Configuration(Notation):
    """`{"NetworkSelectorDatasetInfo:darts:edge_normal_0": "sep_conv_3x3", …, "…:inputs_node_normal_3": "0_1", …}`.

    Nodes 3 to 5 name their inputs. What the dictionary holds of training is left aside.
    """

    name: ClassVar[str] = "nb301"
    prefix: ClassVar[str] = "NetworkSelectorDatasetInfo:darts:"

    def fits(self, text: str) -> bool:
        """It begins as a dictionary."""
        return text.startswith("{")

    def read(self, text: str) -> Cells:
        """The operations by edge; the inputs that nodes name must be those that their edges have."""
        whole = plain(parsed(text), "the text")
        if not isinstance(whole, dict):
            raise BadGenotype("the configuration is no dictionary from names to values")
        own = {str(key).removeprefix(self.prefix): value for key, value in whole.items() if self._is_own(str(key))}
        ops = {edge: own[name] for name in own if (edge := self._edge(name)) is not None}
        found = {kind: tuple(item for node in RESULTS for item in self._of(kind, node, ops, own)) for kind in KINDS}
        return {kind: _items(found[kind], kind) for kind in KINDS}

    def _is_own(self, key: str) -> bool:
        return key.startswith((f"{self.prefix}edge_", f"{self.prefix}inputs_node_"))

    def _edge(self, name: str) -> tuple[str, int, int] | None:
        """Cell type, input and node of an entry for an edge; None of one for a node's inputs."""
        node = re.fullmatch(r"inputs_node_(normal|reduce)_([2-5])", name)
        edge = re.fullmatch(r"edge_(normal|reduce)_(\d{1,3})", name)
        if edge is None or int(edge[2]) >= len(EDGES):
            if node is None:
                legal = "edge_normal_0 to edge_reduce_13, inputs_node_normal_3 to inputs_node_reduce_5"
                raise BadGenotype(f"{name[:60]!r} is no entry of the configuration; legal: {legal}")
            return None
        return edge[1], *EDGES[int(edge[2])]

    def _of(self, kind: str, node: int, ops: Mapping[tuple[str, int, int], Any], own: Mapping[str, Any]) -> list[Any]:
        found = [(ops[kind, source, node], source) for source in range(node) if (kind, source, node) in ops]
        if len(found) != 2:
            numbers = ", ".join(str(EDGES.index((source, node))) for source in range(node))
            raise BadGenotype(
                f"node {node} of {kind} takes 2 of the edges {numbers}; the configuration has {len(found)}"
            )
        entry, named = f"inputs_node_{kind}_{node}", "_".join(str(source) for _, source in found)
        if own.get(entry, named) != named:
            raise BadGenotype(
                f"{entry} is {str(own[entry])[:40]!r}, but the edges there come from {named!r}; they must agree"
            )
        return found

    def write(self, cells: Cells) -> str:
        """As JSON, edges in order."""
        found: dict[str, str] = {}
        for kind in KINDS:
            taken = {(source, RESULTS[k // 2]): op for k, (op, source) in enumerate(cells[kind])}
            found |= {f"{self.prefix}edge_{kind}_{e}": taken[edge] for e, edge in enumerate(EDGES) if edge in taken}
            for node in RESULTS[1:]:
                sources = sorted(source for source, target in taken if target == node)
                found[f"{self.prefix}inputs_node_{kind}_{node}"] = "_".join(map(str, sources))
        return json.dumps(found)


class Items(Notation):
    """`sep_conv_3x3~0 sep_conv_3x3~1 …, max_pool_3x3~0 …`: eight items of the normal cell, eight of the reduction."""

    name: ClassVar[str] = "items"
    wanted: ClassVar[int] = 2 * NODES

    def fits(self, text: str) -> bool:
        """It has the sign."""
        return "~" in text and not text.startswith(("Genotype", "(", "[", "{"))

    def read(self, text: str) -> Cells:
        """Items parted by spaces; between the cells a comma, which may be missing."""
        if len(text) > LONGEST:
            raise BadGenotype(f"the text has {len(text):,} characters; legal: {LONGEST:,} or fewer")
        parts = [part.split() for part in text.split(",")]
        if len(parts) == 1 and len(parts[0]) == 2 * self.wanted:
            parts = [parts[0][: self.wanted], parts[0][self.wanted :]]
        if len(parts) != len(KINDS):
            number = sum(map(len, parts))
            raise BadGenotype(f"the text has {number} items; legal: {self.wanted} of the normal cell, a comma, and "
                              f"{self.wanted} of the reduction cell")  # fmt: skip
        named = dict(zip(KINDS, parts, strict=True))
        return {kind: tuple(self._item(t, f"{kind}[{k}]") for k, t in enumerate(named[kind])) for kind in KINDS}

    @staticmethod
    def _item(text: str, place: str) -> Item:
        op, sign, source = text.rpartition("~")
        if not sign or not re.fullmatch(r"[0-9]{1,3}", source):
            raise BadGenotype(f"{place} is {text[:40]!r}; legal: an operation, ~, and the number of an input")
        return op, int(source)

    def write(self, cells: Cells) -> str:
        """Parted by one space, cells by a comma."""
        return ",".join(" ".join(f"{op}~{source}" for op, source in cells[kind]) for kind in KINDS)


NOTATIONS: dict[str, Notation] = {one.name: one for one in (Quark0(), Compact(), Configuration(), Items())}
"""By name."""


def named(name: str) -> Notation:
    """The notation of that name. Raises UnknownName with the nearest one."""
    if name not in NOTATIONS:
        raise UnknownName("notation", name, NOTATIONS)
    return NOTATIONS[name]


def recognised(text: str) -> Notation:
    """The notation that a text looks like. Raises BadGenotype where it looks like none."""
    found = [one for one in NOTATIONS.values() if one.fits(text)]
    if len(found) != 1:
        raise BadGenotype(f"{text[:40]!r} is in no notation that is known; legal: {', '.join(NOTATIONS)}")
    return found[0]


def parsed(text: str) -> ast.expr:
    """The syntax tree of an expression. Raises BadGenotype."""
    if len(text) > LONGEST:
        raise BadGenotype(f"the text has {len(text):,} characters; legal: {LONGEST:,} or fewer")
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise BadGenotype(f"the text cannot be read at character {error.offset}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError):
        raise BadGenotype("the text is nested too deeply, or holds characters of no text") from None


def plain(node: ast.expr, place: str) -> Any:
    """Names, numbers, tuples and dictionaries of a syntax tree; lists become tuples. Raises BadGenotype for others."""
    if isinstance(node, ast.Constant) and isinstance(node.value, (str, int, float, type(None))):
        return node.value
    if isinstance(node, (ast.Tuple, ast.List)):
        return tuple(plain(one, place) for one in node.elts)
    if isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):
        keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
        if len(set(keys)) < len(keys):
            raise BadGenotype(f"{place} names {next(key for key in keys if keys.count(key) > 1)!r} twice")
        return {key: plain(value, place) for key, value in zip(keys, node.values, strict=True)}
    raise BadGenotype(
        f"{place} has code at character {node.col_offset + 1}; legal: names, numbers, tuples, dictionaries"
    )


def _whole(node: ast.expr, place: str) -> Any:
    """The numbers of `range(2, 6)`, a list or a tuple; a range of any size is cut to what can be compared."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range" and not node.keywords:
        ends = [plain(one, place) for one in node.args]
        if len(ends) == 2 and all(type(end) is int for end in ends):
            return tuple(range(*ends)[: len(RESULTS) + 1])
    return plain(node, place)


def _items(value: Any, kind: str) -> tuple[Item, ...]:
    pairs = _pairs(value, kind)
    for k, (op, source) in enumerate(pairs):
        if not isinstance(op, str):
            raise BadGenotype(
                f"{kind}[{k}] is {str((op, source))[:60]}; legal: the name of an operation, then an input"
            )
        _number(source, f"{kind}[{k}]")
    return pairs


def _pairs(value: Any, kind: str) -> tuple[tuple[Any, Any], ...]:
    for k, pair in enumerate(value if isinstance(value, tuple) else ()):
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise BadGenotype(f"{kind}[{k}] is {str(pair)[:40]!r}; legal: a pair of an operation and an input")
    if not isinstance(value, tuple):
        raise BadGenotype(f"{kind} is {str(value)[:40]!r}; legal: a list of pairs")
    return value


def _number(value: Any, place: str) -> int:
    if type(value) is not int:
        raise BadGenotype(f"{place} has {str(value)[:40]!r} where a whole number belongs")
    return value
