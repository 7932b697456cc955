"""What a provision costs by provider: the requests, the ratios, the limits, and how the switch's process is found."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the benchmark is not part of the installed package

from bench.children import free_ports, require_free
from bench.errors import BenchError
from bench.measurement import Measurement
from bench.processes import arguments_of, cpu_s, descendants
from bench.provider_report import ProviderReport, exceeded, report_of, table_of
from bench.provider_requests import PROVIDERS, request_for
from bench.provider_rounds import DEFAULT, ProviderPlan, approved_of, parse_providers
from bench.providers import require_limited
from bench.results import write

from voucherswitch.catalogue.brands import SIMULATED_BRANDS
from voucherswitch.catalogue.sandbox import products
from voucherswitch.interface.models import ProvisionRequest


def measured(cpu_us: float, rate: float = 500.0) -> Measurement:
    return Measurement(
        seconds=5.0,
        done=int(rate * 5),
        rate=rate,
        p50_ms=1.0,
        p95_ms=2.0,
        p99_ms=3.0,
        max_ms=4.0,
        done_in_all=int(rate * 7),
        server_cpu_us=cpu_us,
    )


def report(**cpu_us: Sequence[float]) -> ProviderReport:
    rounds = {name: [measured(value) for value in values] for name, values in cpu_us.items()}
    return report_of(rounds, machine={}, settings={}, notes=[])


def test_there_are_eleven_providers_and_the_sandbox_is_the_first() -> None:
    assert len(PROVIDERS) == len(set(PROVIDERS)) == 11
    assert PROVIDERS[0] == "sandbox"
    assert set(DEFAULT) <= set(PROVIDERS)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_provider_sells_r100_for_r100_in_cash(provider: str) -> None:
    request = request_for(provider)

    message = msgspec.convert(request, ProvisionRequest)
    sold = {item.id: (item.receiver_id, item.amount_cents, item.min_cents, item.max_cents) for item in products()}
    for brand in SIMULATED_BRANDS:
        for item in brand.products:
            low, high = (None, None) if isinstance(item.value, int) else item.value
            sold[item.id] = (brand.receiver.id, item.value if isinstance(item.value, int) else None, low, high)
    assert message.product is not None
    receiver, fixed, lowest, highest = sold[message.product.product_id]
    assert message.receiver is not None
    assert message.receiver.id == receiver
    assert fixed == 10_000 or (lowest is not None and highest is not None and lowest <= 10_000 <= highest)
    assert [tender["amount"] for tender in request["tenders"]] == [{"amount": 10_000, "currency": "710"}]  # type: ignore[attr-defined]


def test_a_fixed_value_is_preferred() -> None:
    assert request_for("flash")["product"] == {"productId": "1VOUCHER100"}
    assert request_for("yoyo")["product"] == {"productId": "GIFTCARD"}


def test_requests_differ_in_brand_and_product_only() -> None:
    common = [
        {name: value for name, value in request_for(provider).items() if name not in ("receiver", "product")}
        for provider in PROVIDERS
    ]

    assert all(one == common[0] for one in common)


@pytest.mark.parametrize(
    ("text", "providers"),
    [
        ("sandbox,flash,bluvoucher", ("sandbox", "bluvoucher", "flash")),
        ("ott", ("sandbox", "ott")),
        (" netcare, betway ,netcare", ("sandbox", "betway", "netcare")),
    ],
)
def test_the_sandbox_is_always_measured(text: str, providers: tuple[str, ...]) -> None:
    assert parse_providers(text) == providers


@pytest.mark.parametrize(("text", "said"), [("flush", "no simulated provider 'flush'"), (" , ", "names no provider")])
def test_other_providers_are_refused(text: str, said: str) -> None:
    with pytest.raises(BenchError, match=said):
        parse_providers(text)


def test_ratios_are_paired_by_round() -> None:
    """A slow minute of the machine costs both, so it must not show up in the ratio."""
    found = report(sandbox=[1000, 2000, 1000], flash=[1200, 2400, 1300])

    assert found.figures["flash"].cpu_ratio.rounds == [1.2, 1.2, 1.3]
    assert found.cpu_ratios == {"flash": 1.2}
    assert found.figures["sandbox"].cpu_ratio.median == 1.0
    assert found.figures["flash"].cpu_us.median == 1300
    assert found.figures["flash"].worker_busy == 0.65


def test_a_provider_above_its_limit_is_named() -> None:
    found = report(sandbox=[1000], flash=[1501], bluvoucher=[1990], ott=[9000])

    assert exceeded(found) == [
        "a provision of flash costs the switch 1.50 times the CPU of a sandbox provision, and 1.5 is the most it may"
    ]


def test_the_limit_itself_is_allowed_and_one_bad_round_is_no_excess() -> None:
    assert exceeded(report(sandbox=[1000] * 3, flash=[1500, 1500, 5000], bluvoucher=[2000, 1000, 9000])) == []


def test_a_check_that_checks_nothing_is_refused() -> None:
    require_limited(ProviderPlan())
    require_limited(ProviderPlan(providers=("sandbox", "flash")))
    with pytest.raises(BenchError, match="needs a provider that has a limit: flash, bluvoucher"):
        require_limited(ProviderPlan(providers=("sandbox", "ott")))


def test_the_default_plan_takes_about_two_minutes() -> None:
    assert 90 <= ProviderPlan().measured_s <= 120


def test_the_table_fits_a_terminal() -> None:
    rounds = {name: [measured(11_234.5, 1234.0), measured(9_876.5, 99.0)] for name in PROVIDERS}
    rounds["sandbox"] = [measured(800.0), measured(900.0)]
    printed = io.StringIO()
    console = Console(width=80, file=printed)
    console.print(table_of(report_of(rounds, machine={}, settings={}, notes=[])))

    text = printed.getvalue()
    assert "…" not in text
    assert all(name in text for name in PROVIDERS)


def test_a_report_is_written_beside_the_others_under_its_own_name(tmp_path: Path) -> None:
    path = write(report(sandbox=[1000], flash=[1100]), tmp_path, prefix="providers-")

    assert path.name.startswith("providers-20")
    assert json.loads(path.read_bytes())["cpu_ratios"] == {"flash": 1.1}


def test_the_journal_is_asked_for_one_provider() -> None:
    assert approved_of("flash").endswith("AND provider_id = 'flash'")


def test_a_process_is_found_among_those_that_its_parent_started() -> None:
    """`up` starts the switch, and others beside it; only the right one's CPU counts."""
    nested = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()', 'grandchild (1) x'])"
    with subprocess.Popen([sys.executable, "-c", nested], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            while not (found := [pid for pid in descendants(child.pid) if "grandchild (1) x" in arguments_of(pid)]):
                assert child.poll() is None
            assert len(found) == 1
            assert found[0] in descendants(os.getpid())
            assert child.pid not in descendants(child.pid)
        finally:
            assert child.stdin is not None
            child.stdin.close()
    assert arguments_of(found[0]) == []


def test_cpu_time_grows_with_work_only() -> None:
    before = cpu_s(os.getpid())
    while cpu_s(os.getpid()) < before + 0.05:
        sum(range(10_000))

    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as idle:
        try:
            assert cpu_s(idle.pid) < 5
        finally:
            assert idle.stdin is not None
            idle.stdin.close()


def test_free_ports_are_free_and_in_a_row() -> None:
    first = free_ports(10)

    for port in range(first, first + 10):
        require_free(port, "the test", "--none")
