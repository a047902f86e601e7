"""The explorer: a local page over a model and its data (extra ``app``)."""
