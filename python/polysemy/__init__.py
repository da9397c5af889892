"""Contextual embeddings on a CPU: one word, many vectors.

>>> import polysemy
>>> encoder = polysemy.Encoder.from_pretrained()
>>> encoder.encode(["I deposited money in the bank", "We sat on the bank of the river"]).shape
(2, 384)

Names are resolved on first use: importing the package loads neither NumPy nor the compiled core.
"""

from __future__ import annotations

from .lazy import attributes

TYPE_CHECKING = False  # as type checkers understand it, without the import of typing
if TYPE_CHECKING:
    from . import ops as ops
    from . import reference as reference
    from . import util as util
    from ._core import __version__ as __version__
    from .encoding.encoder import Encoder as Encoder
    from .encoding.output import EncoderOutput as EncoderOutput
    from .errors import CheckpointError as CheckpointError
    from .errors import ModelNotFoundError as ModelNotFoundError
    from .errors import PolysemyError as PolysemyError
    from .errors import PoolingError as PoolingError
    from .errors import TokenizerError as TokenizerError
    from .errors import TruncationWarning as TruncationWarning
    from .errors import UnsupportedModelError as UnsupportedModelError
    from .heads.cross_encoder import CrossEncoder as CrossEncoder
    from .heads.fill_mask import FillMask as FillMask
    from .heads.multi_vector_encoder import MultiVectorEncoder as MultiVectorEncoder
    from .heads.question_answerer import QuestionAnswerer as QuestionAnswerer
    from .heads.sparse_encoder import SparseEncoder as SparseEncoder
    from .heads.text_classifier import TextClassifier as TextClassifier
    from .heads.token_classifier import TokenClassifier as TokenClassifier
    from .heads.zero_shot import ZeroShotClassifier as ZeroShotClassifier
    from .model.spec import Activation as Activation
    from .model.spec import EncoderSpec as EncoderSpec
    from .model.spec import Pooling as Pooling
    from .native import cmake_dir as cmake_dir
    from .native import get_include as get_include
    from .native import get_library as get_library
    from .runtime import get_num_threads as get_num_threads
    from .runtime import isas as isas
    from .runtime import set_num_threads as set_num_threads
    from .runtime import threads as threads
    from .sentence import SentenceTransformer as SentenceTransformer
    from .util.functions import SimilarityFunction as SimilarityFunction
    from .util.quantization import quantize_embeddings as quantize_embeddings
    from .util.sparse_rows import SparseRows as SparseRows

# Public name -> module that defines it. A name mapped to a module of the same name is the module itself.
_HOMES = {
    "Activation": "model.spec",
    "CheckpointError": "errors",
    "CrossEncoder": "heads.cross_encoder",
    "Encoder": "encoding.encoder",
    "EncoderOutput": "encoding.output",
    "EncoderSpec": "model.spec",
    "FillMask": "heads.fill_mask",
    "ModelNotFoundError": "errors",
    "MultiVectorEncoder": "heads.multi_vector_encoder",
    "PolysemyError": "errors",
    "Pooling": "model.spec",
    "PoolingError": "errors",
    "QuestionAnswerer": "heads.question_answerer",
    "SentenceTransformer": "sentence",
    "SimilarityFunction": "util.functions",
    "SparseEncoder": "heads.sparse_encoder",
    "SparseRows": "util.sparse_rows",
    "TextClassifier": "heads.text_classifier",
    "TokenClassifier": "heads.token_classifier",
    "TokenizerError": "errors",
    "TruncationWarning": "errors",
    "UnsupportedModelError": "errors",
    "ZeroShotClassifier": "heads.zero_shot",
    "__version__": "_core",
    "cmake_dir": "native",
    "get_include": "native",
    "get_library": "native",
    "get_num_threads": "runtime",
    "isas": "runtime",
    "ops": "ops",
    "quantize_embeddings": "util.quantization",
    "reference": "reference",
    "set_num_threads": "runtime",
    "threads": "runtime",
    "util": "util",
}

__all__ = [
    "Activation",
    "CheckpointError",
    "CrossEncoder",
    "Encoder",
    "EncoderOutput",
    "EncoderSpec",
    "FillMask",
    "ModelNotFoundError",
    "MultiVectorEncoder",
    "PolysemyError",
    "Pooling",
    "PoolingError",
    "QuestionAnswerer",
    "SentenceTransformer",
    "SimilarityFunction",
    "SparseEncoder",
    "SparseRows",
    "TextClassifier",
    "TokenClassifier",
    "TokenizerError",
    "TruncationWarning",
    "UnsupportedModelError",
    "ZeroShotClassifier",
    "__version__",
    "cmake_dir",
    "get_include",
    "get_library",
    "get_num_threads",
    "isas",
    "ops",
    "quantize_embeddings",
    "reference",
    "set_num_threads",
    "threads",
    "util",
]


__getattr__ = attributes(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
