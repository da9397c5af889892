"""`polysemy rerank`, `classify` and `fill-mask`: what heads make of texts, line by line."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from typing import Any

from .lines import open_texts

__all__ = ["run_classify", "run_fill_mask", "run_rerank"]

# Texts that are read before any of them is answered.
_LINES = 256


def run_rerank(arguments: argparse.Namespace) -> int:
    """Print documents by their score with a query, best first."""
    from ..heads.cross_encoder import CrossEncoder

    documents = list(open_texts(arguments.file, any_lines=arguments.lines))
    model = CrossEncoder(arguments.model, num_threads=arguments.threads)
    found = model.rank(arguments.query, documents, top_k=arguments.top_k, return_documents=True)
    for hit in found:
        line = {"line": hit["corpus_id"] + 1, "score": hit["score"], "text": hit["text"]}
        print(
            json.dumps(line, ensure_ascii=False) if arguments.json else f"{hit['score']:.6f}\t{hit['text']}"
        )
    return 0


def run_classify(arguments: argparse.Namespace) -> int:
    """Print the label of every text; names in it, or labels of one's own, where that was asked for."""
    texts = open_texts(arguments.file, any_lines=arguments.lines)
    _answer(texts, _classifier(arguments), arguments.json)
    return 0


def run_fill_mask(arguments: argparse.Namespace) -> int:
    """Print the tokens that a model expects for its mask."""
    from ..heads.fill_mask import FillMask

    found = FillMask(arguments.model, num_threads=arguments.threads)(arguments.text, top_k=arguments.top_k)
    for number, choices in enumerate(found if isinstance(found[0], list) else [found], start=1):
        for choice in choices:
            if arguments.json:
                print(json.dumps({"mask": number} | choice, ensure_ascii=False))
            else:
                print(f"{choice['score']:.6f}\t{choice['token_str']}\t{choice['sequence']}")
    return 0


def _classifier(arguments: argparse.Namespace) -> Callable[[list[str]], list[Any]]:
    """Texts to results, each a list of objects with a score."""
    if arguments.entities and arguments.labels:
        raise ValueError("--entities and --labels ask for different models: give one of them")
    threads = arguments.threads
    if arguments.entities:
        from ..heads.token_classifier import TokenClassifier

        model: Any = TokenClassifier(arguments.model, aggregation_strategy="simple", num_threads=threads)
        return lambda texts: list(model(texts))
    if arguments.labels:
        from ..heads.zero_shot import ZeroShotClassifier

        zero = ZeroShotClassifier(arguments.model, num_threads=threads)
        return lambda texts: [
            [
                {"label": label, "score": score}
                for label, score in zip(result["labels"], result["scores"], strict=True)
            ]
            for result in zero(texts, arguments.labels)
        ]
    from ..heads.text_classifier import TextClassifier

    classifier = TextClassifier(arguments.model, num_threads=threads)
    return lambda texts: [[result] for result in classifier(texts)]


def _answer(texts: Iterable[str], classify: Callable[[list[str]], list[Any]], as_json: bool) -> None:
    chunk: list[str] = []
    for text in texts:
        chunk.append(text)
        if len(chunk) == _LINES:
            _print(classify(chunk), as_json)
            chunk = []
    if chunk:
        _print(classify(chunk), as_json)


def _print(results: list[Any], as_json: bool) -> None:
    for result in results:
        if as_json:
            print(json.dumps(result, ensure_ascii=False))
        else:
            print("\t".join(f"{_name(item)} {item['score']:.6f}" for item in result))


def _name(item: dict[str, Any]) -> str:
    return f"{item['entity_group']}:{item['word']}" if "entity_group" in item else str(item["label"])
