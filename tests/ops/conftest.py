"""What the tests of the array operations share."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
