"""Training one found architecture alone, from scratch, by the recipe of a paper; what it says is kept as a record."""
