"""`make perf`: all benchmarks of speed, one after the other."""

from __future__ import annotations

import torch

from tests.perf import official, steps, sweep, trainer

if __name__ == "__main__":
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread, CPU time of the process; the machine may be busy: read the ratios")
    steps.main()
    sweep.main()
    trainer.main()
    official.main()
