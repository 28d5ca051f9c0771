"""The worker of the pool ``live``: ``python -m deployments.warm.worker``.

Nothing may be imported here: every spare process imports its parent's main module again.
"""

from __future__ import annotations

if __name__ == "__main__":
    import os

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # no threads in the template that is forked

    from deployments.warm.service import main

    main()
