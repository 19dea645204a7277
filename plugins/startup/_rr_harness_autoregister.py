"""Start-up hook of rr-harness: makes plain ``lm_eval`` find the model and the tasks.

Runs at every start of this Python, so it adds one finder to ``sys.meta_path`` and nothing more. The
finder waits for lm_eval's own modules and registers with them once they are imported. Switch it
off with ``RR_NO_AUTOREGISTER=1``; ``rr-harness lm-eval`` does the same without it.
"""

import sys

TRIGGERS = {
    "lm_eval.models": "register_model",
    "lm_eval.tasks": "register_tasks",
}


class _Finder:
    """Answers for the trigger modules only: the real spec, with the loader wrapped."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name not in TRIGGERS:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            if finder is cls or find is None:
                continue
            spec = find(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader)
                return spec
        return None


class _Loader:
    """Runs the real loader, then our registration; is gone from the module by then."""

    def __init__(self, inner):
        self._inner = inner

    def __getattr__(self, name):  # get_source, is_package, resource readers, ...
        return getattr(self._inner, name)

    def create_module(self, spec):
        return self._inner.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = self._inner
        module.__loader__ = self._inner
        self._inner.exec_module(module)
        try:
            from lm_eval_rr import registration

            getattr(registration, TRIGGERS[module.__name__])()
        except Exception as error:  # the host must go on whatever happens to us
            print(f"rr-harness: not registered with lm_eval: {error!r}", file=sys.stderr)


def install():
    """Add the finder, once, unless the off switch is set."""
    import os

    if os.environ.get("RR_NO_AUTOREGISTER"):
        return
    for finder in sys.meta_path:
        if getattr(finder, "__name__", "") == "_Finder" and finder.__module__ == __name__:
            return
    sys.meta_path.insert(0, _Finder)
