"""Parts of the tests that the benchmarks share: the corpus of filters, the generator of expressions, the browser."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from support import browser
from support.corpus_filters import CORPUS, ETHERNET, Filter
from support.random_expressions import expression as random_expression

__all__ = ["CORPUS", "ETHERNET", "Filter", "browser", "random_expression"]
