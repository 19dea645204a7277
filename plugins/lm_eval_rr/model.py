"""The lm_eval model ``rewardranker``: a generator draws n programs, a rule picks one.

``lm_eval --model rewardranker --model_args generator=GEN,reranker=RM --tasks multiple_py_bon``
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lm_eval.api.model import LM
from tqdm import tqdm

from lm_eval_rr import sidecar
from lm_eval_rr.arguments import (
    check_arguments,
    check_rule,
    fail_cleanly,
    load_reranker,
    resolve_rule,
    run_name,
    usable_device,
)
from lm_eval_rr.docs import STOCK, stock_problem, to_problem
from lm_eval_rr.response import Response
from rr_harness.errors import BadInput
from rr_harness.generation.base import Sampling
from rr_harness.generation.stage import generate_pools
from rr_harness.pools import Journal, problems_digest, read_pools
from rr_harness.provenance import provenance
from rr_harness.records import Pool, Problem
from rr_harness.registry import load
from rr_harness.reranking import score_pools
from rr_harness.selection import choose, find_rule

logger = logging.getLogger(__name__)


class RewardRanker(LM):  # type: ignore[misc]
    """Draws n candidates for every request and answers with the one a rule chooses.

    Single process: it keeps rank 0 and world size 1. On a task of somebody else the answer is the
    chosen text; on our tasks it carries the whole pool.
    """

    @fail_cleanly
    def __init__(
        self,
        generator: str,
        backend: str = "huggingface",
        reranker: str | None = None,
        n: int | None = None,
        temperature: float = 0.8,
        top_p: float = 0.95,
        max_new_tokens: int = 512,
        select: str | None = None,
        seed: int = 0,
        batch_size: int = 16,
        dtype: str = "auto",
        device: str | None = None,
    ) -> None:
        """Load the generator and the reranker.

        Args:
            generator: model folder or hub name; with ``backend=replay`` a pool file, or the name
                of a bundled one.
            backend: a registered generator: ``huggingface``, ``replay``, or a plugin's.
            reranker: folder or hub name of a sequence classifier with one label.
            n: candidates per problem; default 10, with ``replay`` all that are stored.
            temperature: 0 is greedy and needs n=1.
            top_p: nucleus mass.
            max_new_tokens: bound on the completion, in tokens.
            select: the rule that submits; default: the reranker, else the log-probability, else
                the majority.
            seed: one seed in, the same candidates out.
            batch_size: rows in one forward pass.
            dtype: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
            device: for example ``cuda:0`` or ``cpu``; default: a GPU if there is one.
        """
        super().__init__()
        self._name = generator
        self._replay = replay = backend == "replay"
        self.sampling = Sampling(
            n=n if n is not None or replay else 10,
            temperature=temperature,
            top_p=top_p,
            max_new_tokens=max_new_tokens,
            seed=seed,
        )
        device = usable_device(device)
        settings = {"device": device, "dtype": dtype, "batch_size": batch_size}
        self._open = functools.partial(
            load("generators", backend), generator, **({} if replay else settings)
        )
        self.generator = self._open()
        self._chat_generator: Any = None
        self.reranker = load_reranker(reranker, settings) if reranker else None
        self.select = select
        if select is not None and not replay:  # fail now, not after an hour of generation
            if select == "reranker" and self.reranker is None:
                raise BadInput("select='reranker': no reranker is given; add reranker=PATH")
            check_rule(select, [self.reranker.name] if self.reranker else [])
        self._warned: set[str] = set()
        self._rules: set[str] = set()

    @classmethod
    @fail_cleanly
    def create_from_arg_obj(
        cls, arg_dict: dict[str, Any], additional_config: dict[str, Any] | None = None
    ) -> RewardRanker:
        """Build from ``--model_args`` and lm_eval's own ``--batch_size`` and ``--device``."""
        arguments = {name: value for name, value in arg_dict.items() if name != "model"}
        host = additional_config or {}
        batch_size = host.get("batch_size")
        if isinstance(batch_size, str) and batch_size.isdigit():
            batch_size = int(batch_size)
        if isinstance(batch_size, int) and batch_size > 1:  # 1 is lm_eval's default, not a wish
            arguments.setdefault("batch_size", batch_size)
        if host.get("device") is not None:
            arguments.setdefault("device", host["device"])
        known = set(inspect.signature(cls.__init__).parameters) - {"self"}
        check_arguments(arguments, known)
        model = cls(**arguments)
        # lm_eval names its output folder after this key of its own dictionary, else at random.
        arg_dict["model"] = run_name(arguments)
        return model

    @classmethod
    def create_from_arg_string(
        cls, arg_string: str, additional_config: dict[str, Any] | None = None
    ) -> RewardRanker:
        """Build from the text of ``--model_args``."""
        from lm_eval.utils import simple_parse_args_string

        return cls.create_from_arg_obj(simple_parse_args_string(arg_string), additional_config)

    # --- lm_eval's requests -----------------------------------------------------------------

    @fail_cleanly
    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Return one chosen completion per request, in order; a ``Response`` for our own tasks."""
        problems = [self._problem(request) for request in requests]
        distinct = list({problem.key: problem for problem in problems}.values())
        pools = self._candidates(distinct, disable_tqdm)
        if self.reranker is not None:
            with tqdm(total=len(pools), desc="Scoring candidates", disable=disable_tqdm) as bar:
                pools = score_pools(self.reranker, pools, on_progress=_reach(bar))
        scorer = self.reranker.name if self.reranker is not None else None
        rule_name = resolve_rule(self.select, pools, scorer)
        self._rules.add(rule_name)
        logger.info("rewardranker submits by the rule %r", rule_name)
        chosen = {pool.problem.key: _choose(pool, rule_name) for pool in pools}
        return [chosen[problem.key] for problem in problems]

    def _problem(self, request: Any) -> Problem:
        context, settings = request.args
        self._warn_of_ignored(settings)
        problem = to_problem(request.doc)
        if problem is not None:
            return problem
        until = settings.get("until") or []
        return stock_problem(
            request.doc_id, request.task_name, context, [until] if isinstance(until, str) else until
        )

    def _warn_of_ignored(self, settings: Mapping[str, Any]) -> None:
        """Say once that sampling is set by the model arguments, not by task or ``--gen_kwargs``."""
        ours = self.sampling
        used: dict[str, set[object]] = {
            "temperature": {ours.temperature},
            "top_p": {ours.top_p},
            "max_gen_toks": {ours.max_new_tokens, 256, 512},  # lm_eval's default, our tasks' value
        }
        for name, values in used.items():
            if name in settings and settings[name] not in values and name not in self._warned:
                self._warned.add(name)
                logger.warning(
                    "%s=%s of the task or --gen_kwargs is not used: rewardranker draws with its "
                    "own settings; give them in --model_args",
                    name,
                    settings[name],
                )

    def set_cache_hook(self, cache_hook: Any) -> None:
        """Refuse lm_eval's ``--use_cache``: its key has no n, reranker or seed."""
        raise SystemExit(
            "Error: --use_cache gives stale answers when n, reranker or seed change; leave it off: "
            f"drawn candidates are kept in {candidate_store()} and used again"
        )

    def _candidates(self, problems: Sequence[Problem], quiet: bool) -> list[Pool]:
        """Draw the candidates; under ``--apply_chat_template`` those of our tasks as a chat.

        The prompts of other tasks are wrapped in the template by lm_eval itself.
        """
        chat = [self._chat_generator is not None and p.language != STOCK for p in problems]
        pools: dict[tuple[str, str], Pool] = {}
        for flag, generator in ((False, self.generator), (True, self._chat_generator)):
            group = [p for p, is_chat in zip(problems, chat, strict=True) if is_chat == flag]
            if group:
                drawn = self._draw(generator, group, quiet)
                pools.update((pool.problem.key, pool) for pool in drawn)
        if empty := [p.problem.name for p in pools.values() if not p.candidates]:
            raise BadInput(f"problem {empty[0]!r} has no candidates in {self._name}; leave it out")
        return [pools[problem.key] for problem in problems]

    def _draw(self, generator: Any, problems: Sequence[Problem], quiet: bool) -> list[Pool]:
        """Draw candidates, or take up those an earlier, perhaps killed, run has drawn."""
        with tqdm(
            total=len(problems), desc="Drawing candidates", disable=quiet, mininterval=1
        ) as bar:
            draw = functools.partial(
                generate_pools, generator, problems, self.sampling, on_progress=_reach(bar)
            )
            if self._replay:
                return draw()
            config = {
                "generator": generator.describe(),
                "weights": generator.fingerprint(),
                "sampling": {"n": self.sampling.n, **self.sampling.facts()},
                # What a generator sees: a changed test needs no new candidates.
                "problems": problems_digest(replace(p, tests="", extra={}) for p in problems),
            }
            path = candidate_store() / f"{_digest(config)[:24]}.jsonl"
            with Journal(path, config) as journal:
                if not journal.complete:
                    journal.finish(draw(journal), provenance())
                else:
                    logger.info("candidates drawn before are used again: %s", path)
                    bar.update(len(problems))
            # Only the candidates are taken from the store, the tests may have changed since.
            return [
                replace(stored, problem=problem)
                for stored, problem in zip(read_pools(path), problems, strict=True)
            ]

    def loglikelihood(self, requests: Sequence[Any], **_: Any) -> list[tuple[float, bool]]:
        """Refuse: this model writes programs."""
        raise SystemExit(
            "Error: rewardranker writes programs; this task asks for log-likelihoods. "
            "Use a task of type generate_until, or another --model"
        )

    def loglikelihood_rolling(self, requests: Sequence[Any], **_: Any) -> list[float]:
        """Refuse: this model writes programs."""
        self.loglikelihood(requests)
        return []

    # --- chat ------------------------------------------------------------------------------

    @fail_cleanly
    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Wrap a prompt for lm_eval; from now on our own tasks ask in chat and extract the code."""
        if self._replay:
            raise BadInput("--apply_chat_template: stored candidates are not drawn again")
        self._chat_generator = self._chat_generator or self._open(chat=True)
        return str(
            self._chat_generator.tokenizer.apply_chat_template(
                chat_history, tokenize=False, add_generation_prompt=add_generation_prompt
            )
        )

    def chat_template(self, chat_template: bool | str = False) -> str:
        """Return the template for lm_eval's records."""
        tokenizer = getattr(self.generator, "tokenizer", None)
        return str(getattr(tokenizer, "chat_template", None) or "") if chat_template else ""

    @property
    def tokenizer_name(self) -> str:
        """The generator's name, part of lm_eval's request cache key."""
        return str(self.generator.describe()["model"]).replace("/", "__")

    def get_model_info(self) -> dict[str, Any]:
        """Return what lm_eval writes into its results: versions, weights, sampling, rules."""
        info = {
            **provenance(),
            "generator": {**self.generator.describe(), "weights": self.generator.fingerprint()},
            "sampling": {"n": self.sampling.n, **self.sampling.facts()},
            "reranker": self.reranker
            and {"model": self.reranker.name, "weights": self.reranker.fingerprint()},
            "select": sorted(self._rules),
            "toolchains": dict(sidecar.toolchains),
        }
        return {"rr_harness": info}


def _reach(bar: Any) -> Callable[[int, int], None]:
    """Return a progress callback (done, total) for a tqdm bar."""
    return lambda done, _total: bar.update(done - bar.n)


def _choose(pool: Pool, rule_name: str) -> str:
    scores = find_rule(rule_name, list(pool.candidates[0].scores))(pool)
    if scores is None:
        raise BadInput(f"select={rule_name!r}: nothing to select by for {pool.problem.name!r}")
    chosen = pool.candidates[choose(scores)].completion
    # lm_eval's own metrics convert the target to the type of the answer, so theirs is a plain str.
    return chosen if pool.problem.language == STOCK else Response(chosen, pool, rule_name)


def candidate_store() -> Path:
    """Return the folder that keeps candidates drawn under lm_eval (in ``RR_CACHE_DIR``)."""
    root = os.environ.get("RR_CACHE_DIR") or Path.home() / ".cache" / "rr-harness"
    return Path(root) / "candidates"


def _digest(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
