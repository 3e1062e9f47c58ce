"""The corpus of filters and the generator of expressions, which the tests share with the benchmarks."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from support.corpus_filters import CORPUS, ETHERNET, Filter
from support.random_expressions import expression as random_expression

__all__ = ["CORPUS", "ETHERNET", "Filter", "random_expression"]
