"""`check PACKAGE`: hold the methods and spaces of a package outside the program to the contract."""

from __future__ import annotations

import dataclasses
import json as json_
from collections import Counter
from dataclasses import dataclass, field

from bench.cli.outcome import Common
from bench.errors import BadSpec, counted
from bench.store.names import printable


@dataclass(frozen=True, kw_only=True)
class Check(Common):
    """Hold the methods and spaces of a package to what those of the program are held to (docs/plug-ins.md).

    Methods are run on the small spaces, on NAS-Bench-201 and on the spaces of the package; spaces are searched by one
    method of each kind. A search that is refused in one line before it trains is no failure. Nothing is kept. The exit
    code is 1 where a check fails.
    """

    package: str = field(default="", kw_only=False)
    """The name that is imported, or that of its distribution."""
    all: bool = False
    """Search its spaces by every method of the program, which takes minutes."""

    def __call__(self) -> int:
        if not self.package:
            raise BadSpec("check takes the name of a package that announces methods or spaces (docs/plug-ins.md)")
        import torch

        from bench.contract.packages import offer, outcomes

        torch.set_num_threads(1)
        found = offer(self.package)
        if not self.json:
            has = f"{counted(len(found.methods), 'method')} and {counted(len(found.spaces), 'space')}"
            print(f"{found.package} has {has}: {', '.join((*found.methods, *found.spaces)) or 'none that can be had'}")
        told = []
        for one in outcomes(found, self.all, self.debug):
            told.append(one)
            if not self.json:
                line = f"{one.status:7}  {one.of}: {one.check}" + (f": {one.told}" if one.told else "")
                print(printable(line), flush=True)
        count = Counter(one.status for one in told)
        if self.json:
            print(json_.dumps([dataclasses.asdict(one) for one in told]))
        else:
            print(
                f"{counted(len(told), 'check')}: " + ", ".join(f"{n} {status}" for status, n in sorted(count.items()))
            )
        return 1 if count["failed"] else 0
