"""Our tables in the shape that other tools ask for: `nats` for scripts of nats_bench, `naslib` for NASLib."""
