"""The scores of SPLADE, tokens times vocabulary, are never held."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from head_models import TOKENS
from sentence_models import shake
from transformers import BertTokenizer

if not Path("/proc/self/status").exists():
    pytest.skip("peak memory is read from /proc", allow_module_level=True)

VOCABULARY, TEXTS, LENGTH = 50_000, 96, 46
# In a process of its own: a peak can't be told from an earlier one.
PEAK = f"""
import sys
from polysemy import SparseEncoder

def in_kib(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))

model = SparseEncoder(sys.argv[1], num_threads=1)
model.encode(["water"])
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak so far is that of loading
before = in_kib("VmRSS")
rows = model.encode(["water " * {LENGTH - 2}] * {TEXTS})
assert rows.shape == ({TEXTS}, {VOCABULARY}) and 0 < rows.nnz < rows.shape[0] * rows.shape[1] / 20, rows.nnz
print((in_kib("VmHWM") - before) * 1024)
"""


def test_a_tenth_of_all_scores(tmp_path: Path) -> None:
    tokens = [*TOKENS, *(f"t{i}" for i in range(VOCABULARY - len(TOKENS)))]
    (tmp_path / "vocab.txt").write_text("\n".join(tokens) + "\n")
    BertTokenizer(str(tmp_path / "vocab.txt"), model_max_length=LENGTH).save_pretrained(tmp_path)
    config = transformers.DistilBertConfig(
        vocab_size=VOCABULARY, dim=16, n_heads=2, n_layers=1, hidden_dim=16, max_position_embeddings=LENGTH
    )
    model = shake(transformers.DistilBertForMaskedLM(config), 1)
    with torch.no_grad():
        model.vocab_projector.bias.sub_(4.0)  # as in a trained model, few scores are positive
    model.save_pretrained(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 4 * TEXTS * LENGTH * VOCABULARY / 10
