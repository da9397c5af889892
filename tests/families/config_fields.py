"""Fields of configurations, and other values for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from family_case import ROPES, Fields, found

__all__ = ["ABSENT", "DECIDES_NOTHING", "changes"]

ABSENT: Any = object()  # the field is left out, so that its default counts

# Fields that decide no vector of a text: of training, of heads, of generation, of how transformers runs a model, and
# names. In some families they do (the padding id of RoBERTa shifts positions), which is compared all the same.
DECIDES_NOTHING = frozenset((
    "_name_or_path", "transformers_version", "architectures", "output_hidden_states", "output_attentions",
    "return_dict", "dtype", "chunk_size_feed_forward", "is_encoder_decoder", "id2label", "label2id",
    "problem_type", "tie_word_embeddings", "use_cache", "hidden_dropout_prob", "attention_probs_dropout_prob",
    "classifier_dropout", "classifier_dropout_prob", "dropout", "attention_dropout", "qa_dropout",
    "seq_classif_dropout", "dropout_rate", "embedding_dropout", "mlp_dropout", "pooler_dropout", "cls_dropout",
    "summary_type", "summary_use_proj", "summary_activation", "summary_last_dropout", "initializer_range",
    "initializer_factor", "initializer_cutoff_factor", "pad_token_id", "bos_token_id", "eos_token_id",
    "cls_token_id", "sep_token_id", "mask_token_id", "decoder_start_token_id", "task_type_vocab_size",
    "pooler_hidden_act", "pooler_hidden_size", "legacy", "conv_act", "conv_groups", "decoder_bias",
    "classifier_pooling", "classifier_bias", "classifier_activation", "deterministic_flash_attn",
    "sparse_prediction", "sparse_pred_ignore_index", "pretraining_tp", "max_window_layers",
    "final_logit_softcapping", "num_decoder_layers", "scale_decoder_outputs", "dense_act_fn", "is_gated_act",
    "_sliding_window_pattern", "sinusoidal_pos_embds",
)).union(*(getattr(module, "DECIDES_NOTHING", ()) for module in found()))  # fmt: skip

# Values of fields with a form of their own, and fields that classes don't declare but their code, or that of older
# versions, reads.
_WORDS = ("relu", "gelu_new", "silu", "mish", "gated-silu", "mean", "layer_norm", "c2p", "relative_key")
_KINDS = ("full_attention", "sliding_attention")
_BERT: Fields = {
    "position_embedding_type": ("relative_key", "relative_key_query"),
    "pruned_heads": ({"0": [1]},),
}
_BY_TYPE: dict[str, Fields] = {
    model_type: fields for module in found() for model_type, fields in getattr(module, "FIELDS", {}).items()
}


def changes(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every field of a configuration with every other value that is tried."""
    model_type = config["model_type"]
    extra = _BY_TYPE.get(model_type, _BERT)
    for name, old in config.items():
        if name == "model_type":
            continue
        yield name, ABSENT
        for value in extra.get(name) or _others(name, old):
            if value != old or isinstance(value, bool) != isinstance(old, bool):
                yield name, value
    for name, values in extra.items():
        if name not in config:
            yield from ((name, value) for value in values)


def _others(name: str, old: Any) -> tuple[Any, ...]:
    if name == "rope_parameters":
        by_kind = set(old) & set(_KINDS)
        if not by_kind:
            return (*ROPES, dict.fromkeys(_KINDS, ROPES[0]))
        return (*(old | {kind: rope} for rope in ROPES for kind in _KINDS), old | ROPES[0])
    if name == "layer_types":
        return (
            old[::-1],
            [_KINDS[0]] * len(old),
            [_KINDS[1]] * len(old),
            old[:-1],
            [*old[:-1], "chunked_attention"],
        )
    if isinstance(old, bool):
        return (not old,)
    if isinstance(old, int):
        return tuple({0, 1, 2, 3, 10, old + 1, old - 1, 2 * old, -1})
    if isinstance(old, float):
        return (2 * old, old + 0.5, 0.25)
    if isinstance(old, str):
        return _WORDS
    if isinstance(old, list):
        return (old[::-1], old[:1], old[1:], [*old, "p2p"])
    if isinstance(old, dict):
        return ({},)
    return (True, 3, 0.5, "relu", [1], {"0": 1})
