"""Benchmarks of speed (`make perf`): ratios in one interleaved run, CPU time, one thread. No test asserts a time."""
