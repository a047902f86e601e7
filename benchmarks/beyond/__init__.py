"""CIFAR-10 beyond the paper: what better gates and classifiers give on the same information.

`python -m benchmarks.beyond` makes features from seen classes alone, and from these the tables of
`docs/beyond-the-paper.md`.
"""
