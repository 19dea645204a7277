"""From a problem to its candidates: ``base`` is the contract, ``stage`` runs it, the rest draw.

Nothing heavy is imported here; look up a generator by name in the entry points of the group
``rr_harness.generators``.
"""

from rr_harness.generation.base import Generator, Sampling
from rr_harness.generation.stage import generate_pools

__all__ = ["Generator", "Sampling", "generate_pools"]
