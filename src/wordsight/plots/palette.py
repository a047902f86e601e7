"""Colours and shapes that can be told apart by everybody, and in grey print by their shape.

Source: Okabe and Ito, "Color Universal Design (CUD): How to make figures and presentations that
are friendly to colorblind people", 2008.
"""

from wordsight.exceptions import InputError

__all__ = [
    "GREY",
    "INK",
    "OKABE_ITO",
    "RIGHT_COLOUR",
    "SEEN_COLOUR",
    "SEEN_SHAPES",
    "SEQUENTIAL",
    "UNSEEN_COLOUR",
    "UNSEEN_INK",
    "UNSEEN_SHAPES",
    "WRONG_COLOUR",
    "class_marks",
]

OKABE_ITO = (
    "#0072B2",  # blue
    "#D55E00",  # vermilion
    "#009E73",  # bluish green
    "#CC79A7",  # reddish purple
    "#E69F00",  # orange
    "#56B4E9",  # sky blue
    "#000000",
    "#F0E442",  # yellow, last: it is pale on white
)

SEEN_COLOUR, UNSEEN_COLOUR = OKABE_ITO[:2]
"""They differ for every kind of colour blindness, and in lightness."""

UNSEEN_INK = "#A34700"
"""For text: darker than `UNSEEN_COLOUR`, 6:1 on white."""

RIGHT_COLOUR = "#00664B"
WRONG_COLOUR = "#B03A00"
INK = "#222222"
GREY = "#6B6B6B"

SEQUENTIAL = "Blues"
"""The colour map of shares and similarities: ever darker, so that grey print tells the same."""

SEEN_SHAPES = ("o", "s", "D", "P", "X")
UNSEEN_SHAPES = ("^", "v", "<", ">")
"""Triangles are of unseen classes alone."""


def class_marks(n_seen: int, n_unseen: int) -> list[tuple[str, str]]:
    """Return a colour and a shape for each class, no two alike.

    The eight colours come first, then they come again with the next shape.

    Parameters
    ----------
    n_seen, n_unseen : int
        At most 40 and 32.

    Returns
    -------
    list of (str, str)
        Seen classes first.

    Raises
    ------
    InputError
        There are more classes than marks.
    """
    marks: list[tuple[str, str]] = []
    for count, shapes, kind in (
        (n_seen, SEEN_SHAPES, "seen"),
        (n_unseen, UNSEEN_SHAPES, "unseen"),
    ):
        most = len(shapes) * len(OKABE_ITO)
        if count > most:
            raise InputError(
                f"{count} {kind} classes were given; expected at most {most}, as many as there are "
                "marks: mark what is seen and unseen in place of each class"
            )
        for place in range(count):
            # unseen classes go on where the colours of the seen ones end
            colour = OKABE_ITO[(place + (n_seen if kind == "unseen" else 0)) % len(OKABE_ITO)]
            marks.append((colour, shapes[place // len(OKABE_ITO)]))
    return marks
