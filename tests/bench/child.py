"""Runs `main()` of a module and ends with the process that started it: `python -m tests.bench.child MODULE ARGUMENT…`.

The parent holds the other end of standard input, so its end, however it comes, is the end of the file. The thread that
waits for this sleeps in the kernel and costs the measured program nothing.
"""

import importlib
import os
import signal
import sys
import threading


def _follow_parent() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run the module that the command line names."""
    module, *arguments = sys.argv[1:]
    threading.Thread(target=_follow_parent, daemon=True).start()
    sys.argv = [module, *arguments]
    importlib.import_module(module).main()


if __name__ == "__main__":
    main()
