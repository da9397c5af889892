"""The parent's end of a worker process. An idle worker is stopped: its threads may not spin meanwhile."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.engines.backends import Model
from bench.machine import physical_cpus

_ROOT = Path(__file__).parents[2]


class WorkerError(RuntimeError):
    """An engine could not do what it was asked; the message is its own."""


class Client:
    def __init__(self, engine: str, model: Model, threads: int, log: Path) -> None:
        self.engine, self.log = engine, log
        # The last cores: interrupts are usually served by the first.
        cpus = physical_cpus()[-threads:]
        if len(cpus) < threads:
            raise ValueError(f"--threads {threads}: this process may use {len(cpus)} physical cores")
        settings = {
            "engine": engine, "threads": threads, "cpus": cpus,
            "folder": str(model.folder), "cache": str(model.cache),
        }  # fmt: skip
        environment = dict(
            os.environ, OMP_NUM_THREADS=str(threads), HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.engines.worker", json.dumps(settings)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log.open("ab"),
            cwd=_ROOT, env=environment, text=True,
        )  # fmt: skip

    def ask(self, do: str, timeout: float = 3600.0, **message: Any) -> dict[str, Any]:
        """Wake the worker, send one request, wait for its answer, stop the worker."""
        assert self.process.stdin and self.process.stdout
        if self.process.poll() is not None:
            raise WorkerError(
                f"{self.engine}: process ended with {self.process.returncode}; see {self.log.name}"
            )
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.stdin.write(json.dumps({"do": do, **message}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise WorkerError(f"{self.engine}: process ended before {do}; see {self.log.name}") from None
        ready, _, _ = select.select([self.process.stdout], [], [], timeout)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            status = self.process.poll() if ready else f"no answer in {timeout:.0f} s"
            self.process.kill()
            self.process.wait()
            raise WorkerError(f"{self.engine}: {do}: process ended ({status}); see {self.log.name}")
        self.process.send_signal(signal.SIGSTOP)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self.engine}: {do}: {answer['error']}")
        return answer

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()
