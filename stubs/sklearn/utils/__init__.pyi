from typing import Any

from numpy.random import RandomState

class InputTags:
    one_d_array: bool
    two_d_array: bool
    three_d_array: bool
    string: bool
    allow_nan: bool

class TargetTags:
    required: bool
    multi_output: bool
    single_output: bool

class ClassifierTags:
    poor_score: bool
    multi_class: bool

class RegressorTags:
    poor_score: bool

class TransformerTags:
    preserves_dtype: list[str]

class Tags:
    estimator_type: str | None
    target_tags: TargetTags
    input_tags: InputTags
    classifier_tags: ClassifierTags | None
    regressor_tags: RegressorTags | None
    transformer_tags: TransformerTags | None
    non_deterministic: bool
    no_validation: bool

def check_random_state(seed: int | RandomState | None) -> RandomState: ...
def __getattr__(name: str) -> Any: ...
