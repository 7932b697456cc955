"""The benchmark's table of stages counts every sample once, where it belongs."""

import pytest
from bench.errors import BenchError
from bench.stages import STAGES, barest_ways, count

ROOT = (
    "<module> (voucherswitch/__main__.py:5);serve (voucherswitch/interface/server.py:130);"
    "Runner.run (asyncio/runners.py:118)"
)


def test_a_sample_counts_for_the_innermost_function_that_belongs_to_a_stage() -> None:
    flow = f"{ROOT};take_turn (voucherswitch/interface/turn.py:40);provision (voucherswitch/switch/provision.py:40)"
    raw = "\n".join(
        [
            f"{ROOT} 5",
            f"{flow} 3",
            f"{flow};Journal.open (voucherswitch/journal/journal.py:9);Vault.seal (voucherswitch/security/vault.py:9)"
            " 7",
            f"{flow};Journal.open (voucherswitch/journal/journal.py:9);create_future (asyncio/x.py:1) 11",
            "Thread.run (threading.py:1);_worker (concurrent/futures/thread.py:81) 13",
        ]
    )
    assert count(raw) == {"event loop": 5, "flow": 3, "seal": 7, "journal": 11}


def test_a_profile_without_the_event_loop_is_an_error_and_no_empty_table() -> None:
    with pytest.raises(BenchError, match="event loop"):
        count("Thread.run (threading.py:1) 4\n")


def test_each_barest_way_belongs_to_a_stage_and_works() -> None:
    ways = barest_ways()
    assert ways.keys() <= {name for name, _ in STAGES}
    for way in ways.values():
        way()
