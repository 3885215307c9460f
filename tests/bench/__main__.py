"""The command line of the bench; see the package's docstring. Exit code 1: something got worse; 2: it couldn't be measured."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from podwright.devcluster import DevClusterError
from tests.bench import machine, report, tables, thresholds
from tests.bench.cluster_part import ClusterRun, measure_cluster
from tests.bench.engine_part import measure_memory, measure_throughput
from tests.bench.errors import BenchError
from tests.bench.packed_part import measure_packed
from tests.bench.record_part import measure_record
from tests.bench.result import Parameters, Result
from tests.bench.summary import summarize
from tests.bench.tenants_part import measure_tenants

_PARTS: Final = ("cluster", "engine", "array", "packed", "tenants")


def measure(parameters: Parameters) -> Result:
    """Measure everything that is asked for."""
    began = time.monotonic()

    def say(sentence: str) -> None:
        print(f"[{time.monotonic() - began:4.0f} s] {sentence}", file=sys.stderr, flush=True)

    # Of the beginning: others may commit meanwhile.
    facts, digest = machine.facts(), machine.digest()
    throughput = measure_throughput(parameters, say=say) if parameters.engine else None
    memory = measure_memory(parameters, say=say) if parameters.engine else None
    record = measure_record(parameters, say=say) if parameters.array else None
    packed, notes = measure_packed(parameters, say=say) if parameters.packed else (None, [])
    tenants = measure_tenants(parameters, say=say) if parameters.tenants else None
    # Last, as it is what is repeated for as long as there is time.
    on_cluster = ClusterRun(rounds=[], array=None, bulk_array=None, kubernetes="", notes=[])
    if parameters.cluster or parameters.array:
        on_cluster = measure_cluster(parameters, until=began + 60 * parameters.minutes, say=say)
    if machine.digest() != digest:
        notes.append("The sources were changed during the run: its parts may have measured different code.")
    return Result(
        facts=msgspec.structs.replace(facts, kubernetes=on_cluster.kubernetes),
        parameters=parameters,
        notes=on_cluster.notes + notes,
        rounds=on_cluster.rounds,
        throughput=throughput,
        memory=memory,
        array=on_cluster.array,
        bulk_array=on_cluster.bulk_array,
        record=record,
        packed=packed,
        tenants=tenants,
        metrics=summarize(
            on_cluster.rounds,
            throughput,
            memory,
            array=on_cluster.array,
            bulk_array=on_cluster.bulk_array,
            record=record,
            packed=packed,
            tenants=tenants,
        ),
    )


def main() -> None:
    """Do what the command line says."""
    arguments = _parser().parse_args()
    # Whatever ends it, the processes that it started end first.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(_run(arguments))
    except (BenchError, DevClusterError) as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        sys.exit(130)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.report is not None:
        encoded = arguments.report.read_bytes()
        report.write_page(_read(arguments.report), encoded)
        return 0
    if arguments.accept is not None:
        thresholds.accept(thresholds.load(), _read(arguments.accept))
        return 0
    limits = thresholds.load()
    result = measure(_parameters(arguments))
    if arguments.json is not None:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    comparisons = thresholds.compare(limits, result)
    print(report.facts(result), end="\n\n")
    tables.show(report.tables(result, comparisons))
    worse = [c.limit.metric for c in comparisons if c.verdict is thresholds.Verdict.WORSE]
    if worse:
        print(f"Worse than the thresholds allow: {', '.join(worse)}", file=sys.stderr)
    return 1 if worse else 0


def _read(path: Path) -> Result:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Result)
    except (OSError, msgspec.MsgspecError) as error:
        raise BenchError(f"{path} is no result of a run: {error}") from error


def _parameters(arguments: argparse.Namespace) -> Parameters:
    return Parameters(
        jobs=arguments.jobs,
        rounds=arguments.rounds,
        paced_rate=arguments.rate,
        paced_seconds=arguments.rate_seconds,
        engine_jobs=arguments.engine_jobs,
        active_jobs=arguments.active_jobs,
        finished_jobs=arguments.active_jobs,
        array_tasks=arguments.array_tasks,
        record_tasks=arguments.record_tasks,
        packed_tasks=arguments.packed_tasks,
        pack=arguments.pack,
        quota_tasks=arguments.quota_tasks,
        refused_jobs=arguments.refused_jobs,
        beside_jobs=arguments.beside_jobs,
        flood_arrays=arguments.flood_arrays,
        flood_seconds=arguments.flood_seconds,
        minutes=arguments.minutes,
        **{part: not arguments.only or part in arguments.only for part in _PARTS},
    )


def _parser() -> argparse.ArgumentParser:
    default = Parameters()
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="Measure Podwright beside the native Job and bare pods."
    )
    parser.add_argument("--jobs", type=int, default=default.jobs, help="jobs of a burst (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=default.rounds, help="default %(default)s")
    parser.add_argument(
        "--rate", type=float, default=default.paced_rate, help="of the paced load (default %(default)s/s)"
    )
    parser.add_argument("--rate-seconds", type=float, default=default.paced_seconds, help="default %(default)s")
    parser.add_argument("--engine-jobs", type=int, default=default.engine_jobs, help="default %(default)s")
    parser.add_argument("--active-jobs", type=int, default=default.active_jobs, help="default %(default)s")
    parser.add_argument(
        "--array-tasks", type=int, default=default.array_tasks, help="and as many bare pods (default %(default)s)"
    )
    parser.add_argument("--record-tasks", type=int, default=default.record_tasks, help="default %(default)s")
    parser.add_argument("--packed-tasks", type=int, default=default.packed_tasks, help="default %(default)s")
    parser.add_argument("--pack", type=int, default=default.pack, help="packed tasks of a pod (default %(default)s)")
    parser.add_argument("--quota-tasks", type=int, default=default.quota_tasks, help="default %(default)s")
    parser.add_argument("--refused-jobs", type=int, default=default.refused_jobs, help="default %(default)s")
    parser.add_argument("--beside-jobs", type=int, default=default.beside_jobs, help="default %(default)s")
    parser.add_argument("--flood-arrays", type=int, default=default.flood_arrays, help="default %(default)s")
    parser.add_argument("--flood-seconds", type=float, default=default.flood_seconds, help="default %(default)s")
    parser.add_argument("--minutes", type=float, default=default.minutes, help="no round begins that would end later")
    parser.add_argument(
        "--only", choices=_PARTS, action="append", default=[], help="leave the other parts out; may be repeated"
    )
    parser.add_argument("--json", type=Path, help="write the result to this file")
    parser.add_argument(
        "--report",
        type=Path,
        nargs="?",
        const=report.DATA,
        help="measure nothing; make the page of the documentation from this result",
    )
    parser.add_argument("--accept", type=Path, help="measure nothing; make this result the thresholds")
    return parser


if __name__ == "__main__":
    main()
