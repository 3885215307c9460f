"""Run the simulator as a process of its own: `python -m tests.support.simulator [--port N] [--nodes N] [--latency SECONDS]`.

It prints its URL on the first line, and ends on SIGTERM or SIGINT.
"""

import argparse
import asyncio
import gc
import signal
import sys

import yaml

from tests.support.simulator.api import Api
from tests.support.simulator.fence import SYSTEM_NAMESPACE, fence
from tests.support.simulator.garbage import GarbageCollector
from tests.support.simulator.kinds import NAMESPACE
from tests.support.simulator.kubelet import Kubelet
from tests.support.simulator.server import Simulator


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until told to end."""
    schema = None
    if arguments.definition:
        with open(arguments.definition, encoding="utf-8") as file:  # noqa: ASYNC230 -- nothing is served yet
            schema = yaml.safe_load(file)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    api = Api(schema=schema)
    api.rules.append(fence(api))
    api.create(NAMESPACE, "", {"metadata": {"name": SYSTEM_NAMESPACE}}, user="system:admin")
    GarbageCollector(api)
    Kubelet(api, nodes=arguments.nodes, latency=arguments.latency)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    # Documents hold no cycles: looking for some among many thousands costs more than everything else.
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)
    async with Simulator(api, port=arguments.port) as simulator:
        sys.stdout.write(f"{simulator.url}\n")
        sys.stdout.flush()
        await ended.wait()


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="a free one unless given")
    parser.add_argument("--nodes", type=int, default=10, help="how many simulated nodes run pods")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that a node takes for each step")
    parser.add_argument("--definition", help="YAML file of the BatchJob definition, to prune, default and validate by")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
