"""Arguments and help of the commands that use a head."""

from __future__ import annotations

import argparse
from collections.abc import Callable

__all__ = ["add_classify", "add_fill_mask", "add_lines", "add_rerank"]

RERANK = """\
Documents by how well they answer a query: one document per line in, best first out, each with its score.

The model is a cross-encoder, which reads the query and a document together: slower than comparing vectors, and
surer. Use it on the few hundred that a search found.
"""
RERANK_MORE = """\
examples:
  {prog} rerank "how do rivers flood" candidates.txt --model cross-encoder/ms-marco-MiniLM-L6-v2
  {prog} rerank "how do rivers flood" - --model ./my-reranker --top-k 5 --json < candidates.txt
      JSON lines: the number of the line, the score, the text
"""
CLASSIFY = """\
A label for every text: one text per line in, one line of labels with their scores out, in the same order.

Which labels there are is the model's. --entities finds names in a text, with a model that labels tokens; --labels
takes labels of your own, with a model of inference (NLI).
"""
CLASSIFY_MORE = """\
examples:
  {prog} classify reviews.txt --model distilbert/distilbert-base-uncased-finetuned-sst-2-english
  {prog} classify news.txt --entities --model dslim/bert-base-NER --json
  {prog} classify news.txt --labels "sports, politics, weather" --model ./my-nli-model
"""
FILL_MASK = """\
The tokens that a model expects in the place of its mask, with their probabilities and the whole text.

How the mask is written is the model's: [MASK] for BERT, <mask> for RoBERTa.
"""
FILL_MASK_MORE = """\
examples:
  {prog} fill-mask "We sat on the [MASK] of the river" --model google-bert/bert-base-uncased
  {prog} fill-mask "We sat on the <mask>." --model FacebookAI/roberta-base --top-k 3 --json
"""

Number = Callable[[str], int]


def add_rerank(parser: argparse.ArgumentParser, positive: Number) -> None:
    """Arguments of `polysemy rerank`."""
    parser.add_argument("query", metavar="QUERY", help="what is sought")
    parser.add_argument("file", metavar="FILE", help="UTF-8 text, one document per line; - is standard input")
    add_lines(parser)
    _add_model(parser, positive)
    parser.add_argument("--top-k", type=positive, metavar="N", help="the best N only (default: all)")
    parser.add_argument("--json", action="store_true", help="print JSON lines")


def add_classify(parser: argparse.ArgumentParser, positive: Number) -> None:
    """Arguments of `polysemy classify`."""
    parser.add_argument("file", metavar="FILE", help="UTF-8 text, one text per line; - is standard input")
    add_lines(parser)
    _add_model(parser, positive)
    parser.add_argument("--entities", action="store_true", help="names in a text, joined over their tokens")
    parser.add_argument("--labels", metavar="A,B,...", help="labels of your own, with commas between")
    parser.add_argument("--json", action="store_true", help="print a JSON array per text")


def add_fill_mask(parser: argparse.ArgumentParser, positive: Number) -> None:
    """Arguments of `polysemy fill-mask`."""
    parser.add_argument("text", metavar="TEXT", help="a text with the model's mask in it")
    _add_model(parser, positive)
    parser.add_argument("--top-k", type=positive, default=5, metavar="N", help="how many tokens (default: 5)")
    parser.add_argument("--json", action="store_true", help="print JSON lines")


def add_lines(parser: argparse.ArgumentParser) -> None:
    """The switch of all commands that read texts from a file."""
    parser.add_argument(
        "--lines", action="store_true", help="take the lines of JSON, tables and other records as they stand"
    )


def _add_model(parser: argparse.ArgumentParser, positive: Number) -> None:
    parser.add_argument(
        "--model", required=True, help="a folder or a Hugging Face id whose checkpoint has the head"
    )
    parser.add_argument("--threads", type=positive, metavar="N", help="threads (default: see `info`)")
