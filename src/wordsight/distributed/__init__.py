"""The same work on many machines: shards of a data set become tasks of a Ray cluster.

What sums over images is additive, so that the parts of a sum can be made anywhere and merged two at
a time in a fixed order: the result does not depend on how many workers there are, nor on which of
them were lost on the way.
"""
