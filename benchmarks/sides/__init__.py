"""Sides of comparisons that run in a process of their own, one a module; see `benchmarks.apart`.

A module imports what its side needs and nothing else, for that is what its memory is measured by.
"""
