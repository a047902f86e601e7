# The part of scikit-learn's interface that Wordsight uses, typed: the library ships no types.
__version__: str

def set_config(**options: object) -> None: ...
