"""Reading the API server's counters, and the FlowSchemas that make them."""

from __future__ import annotations

import pytest
import yaml

from tests.bench.counters import FLOWS, flow_schemas, parse_writes

EXPOSITION = """\
# HELP apiserver_flowcontrol_dispatched_requests_total [BETA] Number of requests executed by API Priority and Fairness
# TYPE apiserver_flowcontrol_dispatched_requests_total counter
apiserver_flowcontrol_dispatched_requests_total{flow_schema="bench-operator-create-pods",priority_level="workload-low"} 12
apiserver_flowcontrol_dispatched_requests_total{flow_schema="bench-job-controller-change-status",priority_level="workload-high"} 1.5e+03
apiserver_flowcontrol_dispatched_requests_total{flow_schema="exempt",priority_level="exempt"} 99
apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="",verb="POST",version="v1"} 7
apiserver_request_total{code="409",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="",verb="POST",version="v1"} 1
apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="binding",verb="POST",version="v1"} 5
apiserver_request_total{code="0",component="apiserver",dry_run="",group="",resource="pods",scope="cluster",subresource="",verb="WATCH",version="v1"} 3
apiserver_request_total{code="200",component="apiserver",dry_run="",group="coordination.k8s.io",resource="leases",scope="resource",subresource="",verb="PUT",version="v1"} 40
apiserver_request_total_of_another_kind 8
"""


def test_writes_by_user_and_by_resource() -> None:
    assert parse_writes(EXPOSITION) == {
        "operator: create pods": 12,
        "job-controller: change status": 1500,
        "all: pods": 8,
        "all: pods/binding": 5,
    }


def test_a_sample_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ValueError, match="no sample"):
        parse_writes('apiserver_request_total{verb="POST"\n')


def test_differences_between_two_readings() -> None:
    assert parse_writes(EXPOSITION.replace('"} 12', '"} 15')) - parse_writes(EXPOSITION) == {"operator: create pods": 3}


def test_every_flow_has_a_schema_of_its_own_and_the_catch_all_comes_last() -> None:
    schemas = list(yaml.safe_load_all(flow_schemas()))
    names = [schema["metadata"]["name"] for schema in schemas]
    assert len(set(names)) == len(FLOWS)
    precedences = [schema["spec"]["matchingPrecedence"] for schema in schemas]
    assert precedences == sorted(set(precedences))
    for user in {flow.user for flow in FLOWS}:
        assert [flow.resource == "*" for flow in FLOWS if flow.user == user][-1]
