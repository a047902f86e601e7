"""P(y | seen, x), P(y | unseen, x), and the two joined: p(y | x) over all classes."""
