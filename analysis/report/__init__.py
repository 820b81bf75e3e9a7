"""The report: one HTML page of everything that the results hold, made from the same frame as tables and figures.

The page needs nothing beside it: no network, no library, no font. It is readable without its script, which adds
sorting, filters, values under the pointer and one page per run.
"""
