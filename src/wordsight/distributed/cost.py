"""What is cheaper: small sums over features made by this process, or by the workers."""

import time

from wordsight.distributed.cluster import Cluster
from wordsight.distributed.rows import ClusterRows
from wordsight.threads import n_threads

__all__ = ["where_to_sum"]

SECONDS_A_TASK = 0.004
"""What it takes to send out a piece of work and to have its result back, about."""

ROWS_TIMED = 1024


def where_to_sum(cluster: Cluster, rows: ClusterRows) -> tuple[bool, str]:
    """Say whether the passes of the softmax over the features are cheaper here, and why.

    Either way the sums are the same to the last bit: it is a question of time alone. Rows are read
    here once to see how fast that is; a worker is taken to be as fast as a core of this machine.

    Parameters
    ----------
    cluster : Cluster
    rows : ClusterRows

    Returns
    -------
    here : bool
    reason : str
        A sentence for a person.
    """
    n_rows, n_features = rows.shape
    n_workers, n_cores = cluster.n_workers, n_threads()
    start = time.perf_counter()
    some = rows[: min(n_rows, ROWS_TIMED)]
    some @ some[:1].T
    each = (time.perf_counter() - start) / len(some)
    here = each * n_rows / n_cores
    there = each * n_rows / max(1, n_workers) + rows.n_parts * SECONDS_A_TASK
    size = f"{n_rows} × {n_features} features ({4 * n_rows * n_features / 1e9:.1f} GB)"
    if here <= there:
        return True, (
            f"The softmax is trained here on the stored features: a pass over {size} takes about "
            f"{here:.2g} s on {n_cores} cores, and {there:.2g} s on {n_workers} workers."
        )
    return False, (
        f"The softmax is trained by gradients that the workers sum: a pass over {size} takes about "
        f"{there:.2g} s on {n_workers} workers, and {here:.2g} s here on {n_cores} cores."
    )
