"""Pictures: one file each, on arrays; `model_pictures` gathers these from a model and its data.

What colour says is said by shape, fill or sign as well, so that the pictures can be read by those
who do not tell the colours apart, and in grey print.
"""

from wordsight.plots.confusion import confusion_diagram
from wordsight.plots.curve import curve_diagram
from wordsight.plots.demo import demo_picture
from wordsight.plots.figure import DPI, save_figure
from wordsight.plots.filters import filter_mosaic
from wordsight.plots.map import map_diagram, semantic_map
from wordsight.plots.palette import INK, OKABE_ITO, SEEN_COLOUR, UNSEEN_COLOUR
from wordsight.plots.projection import Projection, project
from wordsight.plots.reliability import reliability_diagram
from wordsight.plots.strip import prediction_strip
from wordsight.plots.words import words_diagram

__all__ = [
    "DPI",
    "INK",
    "OKABE_ITO",
    "SEEN_COLOUR",
    "UNSEEN_COLOUR",
    "Projection",
    "confusion_diagram",
    "curve_diagram",
    "demo_picture",
    "filter_mosaic",
    "map_diagram",
    "prediction_strip",
    "project",
    "reliability_diagram",
    "save_figure",
    "semantic_map",
    "words_diagram",
]
