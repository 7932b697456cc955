"""Commands beside one running `voucherswitch up`, as a person types them into a second terminal."""

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from cli.cli_support import READY, Sandbox, Terminal, eventually, open_folder, processes_with
from voucherswitch.catalogue.brands import SIMULATED_BRANDS, SimulatedBrand
from voucherswitch.cli import till_messages
from voucherswitch.cli.till_access import TillAccess
from voucherswitch.cli.till_client import Answer, Switch
from voucherswitch.interface.models import ProductsLookupResponse, ProvisionResponse

PASSWORD = "correct-horse-battery"
PAUSE_IN_FORCE = timedelta(seconds=2)


@pytest.fixture(scope="module")
def sandbox(terminal: Terminal) -> Iterator[Sandbox]:
    with open_folder() as folder:
        running = Sandbox(folder, terminal)
        running.start("--password", PASSWORD)
        try:
            yield running
        finally:
            running.stop()


@pytest.fixture(scope="module")
def switch(sandbox: Sandbox) -> Switch:
    return Switch(TillAccess(sandbox.url, "22222222", PASSWORD))


def a_sale(sandbox: Sandbox, *options: str) -> ProvisionResponse:
    """Sell a voucher with the command."""
    done = sandbox.ok("sell", "--product", "MOBIANY", "--amount", "100", "--json", *options)
    return msgspec.json.decode(done.out, type=ProvisionResponse)


def queued(sandbox: Sandbox) -> int:
    """How many advices wait to be delivered."""
    queues = sandbox.ok("saf", "list", "--json").json["providers"]
    return sum(queue["queued"] for queue in queues if queue["provider_id"] == "sandbox")


def an_owed_sale(sandbox: Sandbox) -> ProvisionResponse:
    """Pause the delivery, and sell until a confirmation stays undelivered: the pause is in force within two seconds."""
    eventually(lambda: queued(sandbox) == 0, "an empty queue")
    sandbox.ok("saf", "pause", "sandbox")
    return eventually(lambda: sale if stays_owed(sandbox, sale := a_sale(sandbox)) else None, "an owed confirmation")


def stays_owed(sandbox: Sandbox, sale: ProvisionResponse) -> bool:
    """Whether its confirmation is still due when the pause must be in force: the delivery may have won the race."""

    def settled() -> str | None:
        advices = sandbox.ok("saf", "list", "--provider", "sandbox", "--json").json["advices"]
        mine = [item for item in advices if item["request_id"] == str(sale.id)]
        if not mine:
            return "delivered"
        due_for = datetime.now(UTC) - datetime.fromisoformat(mine[0]["next_attempt_at"])
        return "owed" if due_for > PAUSE_IN_FORCE and not mine[0]["being_sent"] else None

    return eventually(settled, "the confirmation is delivered or kept back") == "owed"


def sold(switch: Switch, product: str, amount_cents: int | None = 5_000) -> Answer:
    """Ask for a voucher without a command, for tests that are about time."""
    message = till_messages.provision("22222222", product=product, receiver=None, amount_cents=amount_cents, code=None)
    answer = switch.post("/vouchers", message)
    assert isinstance(answer, Answer)
    return answer


def test_it_shows_where_everything_is(sandbox: Sandbox) -> None:
    assert f"{sandbox.url}/suv/v1" in sandbox.shown
    assert f"{sandbox.url}/docs" in sandbox.shown
    assert "22222222" in sandbox.shown
    assert PASSWORD in sandbox.shown


def test_the_interface_answers_as_soon_as_it_is_ready(sandbox: Sandbox) -> None:
    with urllib.request.urlopen(f"{sandbox.url}/openapi.json", timeout=10) as answer:
        assert json.load(answer)["openapi"].startswith("3.1")


def test_the_password_is_kept_for_the_owner_alone(sandbox: Sandbox) -> None:
    till = sandbox.data_dir / "till.json"
    assert till.stat().st_mode & 0o777 == 0o600
    assert json.loads(till.read_text(encoding="utf-8")) == {
        "url": sandbox.url, "user": "22222222", "password": PASSWORD,
    }  # fmt: skip


def test_sell_prints_a_slip(sandbox: Sandbox) -> None:
    slip = sandbox.ok("sell", "--product", "MOBIANY", "--amount", "100").out
    for line in ("MobiTalk Airtime any amount R100.00", "Serial SX", "R100.00", "VSW-", "Sandbox voucher"):
        assert line in slip


def test_sell_json_is_the_interfaces_answer(sandbox: Sandbox) -> None:
    answer = a_sale(sandbox)
    assert answer.amounts is not None
    assert answer.amounts.approved_amount is not None
    assert answer.amounts.approved_amount.amount == 10_000
    assert answer.voucher.code


def test_products_json_is_the_interfaces_answer(sandbox: Sandbox, switch: Switch) -> None:
    printed = sandbox.ok("products", "--json").out
    received = switch.get("/products")
    assert isinstance(received, Answer)
    assert printed == received.body.decode() + "\n"
    listed = msgspec.json.decode(printed, type=ProductsLookupResponse).products
    assert len(listed) >= 12


def test_a_voucher_is_looked_up_redeemed_and_refunded(sandbox: Sandbox) -> None:
    """Redeeming right after the confirmation works: what is owed goes first."""
    code = a_sale(sandbox).voucher.code
    assert "R100.00" in sandbox.ok("lookup", code).out
    assert "R60.00" in sandbox.ok("redeem", code, "--amount", "40").out
    assert sandbox.ok("redeem", code, "--json").json["amounts"]["balanceAmount"]["amount"] == 0
    again = sandbox.run("redeem", code)
    assert again.code == 1
    assert "VOUCHER_ALREADY_REDEEMED" in again.line
    told = sandbox.ok("explain", again.line.rpartition(" ")[2]).out
    assert "No record was made of it" in told
    assert "redeemVoucher refused, no record was made: VOUCHER_ALREADY_REDEEMED (R3, 400)" in told
    assert "R60.00" in sandbox.ok("refund", code).out


def test_an_unconfirmed_sale_is_confirmed_or_reversed_later(sandbox: Sandbox) -> None:
    kept, cancelled = str(a_sale(sandbox, "--no-confirm").id), str(a_sale(sandbox, "--no-confirm").id)
    assert "still has to confirm it" in sandbox.ok("explain", kept).out
    sandbox.ok("confirm", kept)
    sandbox.ok("reverse", cancelled)
    refused = sandbox.run("reverse", kept)
    assert refused.code == 1
    assert "VOUCHER_ALREADY_CONFIRMED" in refused.line
    assert "Reversed: the provision does not stand" in sandbox.ok("explain", cancelled).out


def test_a_decline_is_one_line(sandbox: Sandbox) -> None:
    done = sandbox.run("sell", "--product", "SBXDECLINE05", "--amount", "50")
    assert (done.code, done.out) == (1, "")
    assert "declined, nothing was done: INSUFFICIENT_FUNDS" in done.line
    request_id = done.line.rpartition(" ")[2]
    assert "Declined: INSUFFICIENT_FUNDS (X6, 400)" in sandbox.ok("explain", request_id).out


def test_a_lost_answer_is_retried(sandbox: Sandbox) -> None:
    done = sandbox.ok("sell", "--product", "SBXDROPAFTER", "--amount", "50")
    assert "outcome unknown (504" in done.err
    assert "R50.00" in done.out


def test_explain_finds_a_sale_by_every_name_it_has(sandbox: Sandbox) -> None:
    sale = a_sale(sandbox)
    reference = next(
        item.transaction_identifier
        for item in sale.third_party_identifiers
        if item.transaction_identifier.startswith("VSW-")
    )
    told = sandbox.ok("explain", str(sale.id), "--json").json
    [record] = told[0]["records"]
    assert (record["state"], record["approved_cents"]) == ("confirmed", 10_000)
    advice_id = record["confirmation_id"]
    for name in (str(sale.id).upper(), reference, advice_id, sale.voucher.serial_number or "", sale.voucher.code):
        found = sandbox.ok("explain", name).out
        assert str(sale.id) in found, name
        assert "Confirmed by the originator: R100.00 is issued and stands" in found
    full = sandbox.ok("explain", reference, "--full").out
    assert "POST /sandbox/v1/vouchers" in full
    assert sale.voucher.code not in full, "messages are masked"


def test_explain_knows_no_strangers(sandbox: Sandbox) -> None:
    done = sandbox.run("explain", str(uuid4()))
    assert done.code == 3
    assert "the journal knows no request" in done.line
    assert sandbox.run("lookup", "--serial", "SX99999999").code == 3


def test_what_nobody_knows_the_outcome_of_is_listed_until_it_is_settled(sandbox: Sandbox, switch: Switch) -> None:
    answer = sold(switch, "SBXDROPAFTER")
    assert answer.status == 504
    request_id = answer.message["id"]
    told = sandbox.ok("explain", "--json").json["unresolved"]
    assert [item["state"] for item in told if item["request_id"] == request_id] == ["unknown"]
    assert "Unresolved requests" in sandbox.ok("explain").out
    assert "Unresolved: sandbox was asked" in sandbox.ok("explain", request_id).out
    sandbox.ok("reverse", request_id)
    assert request_id not in sandbox.ok("explain").out


def test_a_providers_settings_are_checked_before_they_are_stored(sandbox: Sandbox) -> None:
    refused = sandbox.run("provider", "set", "sandbox", "total_timeout=8000")
    assert refused.code == 1
    assert "providers.sandbox.total_timeout is not a setting" in refused.line
    sandbox.ok("provider", "set", "sandbox", "total_timeout_ms=8000", "--secret", "api_key=example-sandbox-key")
    [listed] = [one for one in sandbox.ok("provider", "list", "--json").json if one["provider_id"] == "sandbox"]
    assert (listed["settings"]["total_timeout_ms"], listed["secrets"]) == (8_000, ["api_key"])
    assert "example-sandbox-key" not in sandbox.ok("provider", "list").out
    sandbox.ok("provider", "set", "sandbox", "--unset", "total_timeout_ms")
    assert sandbox.ok("sell", "--product", "MOBI29").code == 0
    assert "add it with --connector" in sandbox.run("provider", "set", "nobody", "base_url=http://127.0.0.1:1").line


def test_a_product_and_its_route_are_sold_within_two_seconds(sandbox: Sandbox, switch: Switch) -> None:
    sandbox.ok("receiver", "add", "77777777", "--name", "Marula", "--settlement-id", "3", "--settlement-name", "Three")
    sandbox.ok("product", "add", "MARULA75", "--receiver", "77777777", "--name", "Marula R75", "--amount", "75")
    refused = sandbox.run("route", "preview", "--product", "MARULA75")
    assert refused.code == 1
    assert "ROUTING_ERROR" in refused.line
    assert sold(switch, "MARULA75", None).status == 400
    sandbox.ok("route", "add", "--product", "MARULA75", "--provider", "sandbox", "--provider-product", "SBXANY")
    eventually(lambda: sold(switch, "MARULA75", None).status == 201, "the new product is sold", within_s=2)
    [taken] = sandbox.ok("route", "preview", "--product", "MARULA75", "--json").json["routes"]
    assert (taken["verdict"], taken["amount_cents"]) == ("take", 7_500)
    repeated = sandbox.run("product", "add", "MARULA75", "--receiver", "77777777", "--name", "x", "--amount", "1")
    assert "exists already; add --replace" in repeated.line


def test_a_file_of_products_is_imported_whole_or_not_at_all(sandbox: Sandbox) -> None:
    file = sandbox.folder / "products.csv"
    good = "product_id,receiver_id,name,amount,min,max\nIMP1,55555555,One,10,,\nIMP2,55555555,Two,,5,50.50\n"
    file.write_text(good + "IMP3,99999999,Three,1,,\nIMP1,55555555,Again,1,,\n", encoding="utf-8")
    refused = sandbox.run("product", "import", str(file))
    assert refused.code == 1
    assert refused.out.splitlines() == [
        "line 4: receiver_id '99999999' is not a known voucher provider",
        "line 5: product_id 'IMP1' stands on line 2 already",
    ]
    file.write_text(good, encoding="utf-8")
    assert "2 lines are good" in sandbox.ok("product", "import", str(file), "--dry-run").out
    assert "IMP1" not in sandbox.ok("product", "list").out
    sandbox.ok("product", "import", str(file))
    values = {item["id"]: item["max_cents"] for item in sandbox.ok("product", "list", "--json").json}
    assert (values["IMP1"], values["IMP2"]) == (None, 5_050)


@pytest.mark.parametrize("brand", SIMULATED_BRANDS, ids=lambda brand: brand.provider_id)
def test_every_simulated_provider_sells_its_first_product(sandbox: Sandbox, brand: SimulatedBrand) -> None:
    sold = brand.products[0]
    cents = sold.value if isinstance(sold.value, int) else sold.value[0]

    done = sandbox.ok("sell", "--product", sold.id, "--paid", f"{cents / 100:.2f}", "--json")

    assert done.json["amounts"]["approvedAmount"]["amount"] == cents
    assert done.json["receiver"]["id"] == brand.receiver.id
    assert done.json["voucher"]["code"]


def test_a_providers_product_list_is_followed_by_way_of_a_draft(sandbox: Sandbox) -> None:
    """What the provider sells and we do not is new; the draft is a product file that brings products and routes."""
    sandbox.ok("route", "add", "--product", "FLASHGIFT50", "--provider", "flash", "--provider-product", "gift:999")
    found = {item["provider_product"]: item["change"] for item in sandbox.ok("product", "sync", "flash", "--json").json}
    assert (found["1voucher"], found["gift:999"]) == ("same", "gone")
    sandbox.ok("product", "add", "FLASHGIFT", "--receiver", "80000009", "--name", "x", "--amount", "5000", "--replace")

    file = sandbox.folder / "flash.csv"
    shown = sandbox.ok("product", "sync", "flash", "--draft", str(file)).out

    assert "gone" in shown
    assert "changed" in shown
    draft = file.read_text(encoding="utf-8")
    assert "FLASHGIFT,80000009,x,,,,10.00,1000.00" in draft
    sandbox.ok("product", "import", str(file))
    after = {item["provider_product"]: item["change"] for item in sandbox.ok("product", "sync", "flash", "--json").json}
    assert after["gift:302"] == "same"


def test_a_provider_without_a_product_list_says_so(sandbox: Sandbox) -> None:
    refused = sandbox.run("product", "sync", "ott")
    assert refused.code == 1
    assert "has no product list to ask for" in refused.line


def test_a_product_file_brings_routes(sandbox: Sandbox) -> None:
    file = sandbox.folder / "routed.csv"
    header = "product_id,receiver_id,name,amount,provider,provider_product\n"
    file.write_text(
        header + "ROUTED1,80000009,One,10,flash,\nROUTED2,80000009,Two,10,nobody,1voucher\n", encoding="utf-8"
    )
    refused = sandbox.run("product", "import", str(file))
    assert refused.out.splitlines() == [
        "line 2: a route needs both provider and provider_product",
        "line 3: provider 'nobody' is not known",
    ]
    file.write_text(header + "ROUTED1,80000009,One,10,flash,1voucher\n", encoding="utf-8")
    assert sandbox.ok("product", "import", str(file)).err == ""
    assert "ROUTED1" in sandbox.ok("product", "list").out


def test_what_opens_a_door_is_taken_as_a_secret_only(sandbox: Sandbox) -> None:
    refused = sandbox.run("provider", "set", "flash", "api_key=abc")
    assert "api_key opens a door: give it by --secret api_key" in refused.line
    shown = sandbox.ok("provider", "list", "--json").out
    assert "c2ltLWNsaWVudC1pZDpleGFtcGxlLWZsYXNoLXNlY3JldA==" not in shown


def test_a_till_with_a_certificate_sells_over_https_and_without_it_no_more(sandbox: Sandbox) -> None:
    """The sandbox's own authority issues it; nobody takes an originator's last certificate by accident."""
    certs = sandbox.data_dir / "certs"
    assert f"{sandbox.tls_url}/suv/v1" in sandbox.shown
    assert str(certs / "ca.pem") in sandbox.shown
    sandbox.ok("originator", "add", "33336666", "--name", "Baobab Tills", "--password", "baobab-baobab")
    sandbox.ok("certs", "dev", "--client", "33336666")
    assert "--overwrite" in sandbox.run("certs", "dev", "--client", "33336666").line
    pem, key = certs / "client-33336666.pem", certs / "client-33336666.key"
    assert key.stat().st_mode & 0o777 == 0o600
    sandbox.ok("originator", "certificate", "add", "33336666", "--file", str(pem))
    listed = sandbox.ok("originator", "certificate", "list", "33336666", "--json").json
    assert [len(item["fingerprint"]) for item in listed] == [64]

    till = (
        "sell",
        "--product",
        "MOBI29",
        "--user",
        "33336666",
        "--password",
        "baobab-baobab",
        "--url",
        sandbox.tls_url,
    )
    assert "name its CA with --ca" in sandbox.run(*till).line
    trusting = (*till, "--ca", str(certs / "ca.pem"))
    certified = (*trusting, "--cert", str(pem), "--key", str(key))
    eventually(lambda: "certificate" in sandbox.run(*trusting).err, "the certificate in force")
    assert "Serial SX" in sandbox.ok(*certified).out

    kept = sandbox.run("originator", "certificate", "remove", "33336666", "--file", str(pem))
    assert "its password alone is enough" in kept.line
    sandbox.ok("originator", "certificate", "remove", "33336666", "--file", str(pem), "--password-alone")
    assert sandbox.ok("originator", "certificate", "list", "33336666", "--json").json == []
    assert "is not known" in sandbox.run("originator", "certificate", "list", "1").line


def test_originators_are_added_changed_and_listed(sandbox: Sandbox) -> None:
    sandbox.ok("originator", "add", "33335555", "--name", "Marula App", "--password", "marula-marula", "--single")
    repeated = sandbox.run("originator", "add", "33335555", "--name", "x", "--password", "marula-marula")
    assert "exists already" in repeated.line
    sandbox.ok(
        "originator", "set", "33335555", "--dual", "--redemption", "--receiver", "44444444", "--deadline-s", "30"
    )
    listed = {item["id"]: item for item in sandbox.ok("originator", "list", "--json").json}
    assert "password_hash" not in listed["33335555"]
    changed = {name: listed["33335555"][name] for name in ("single", "redemption", "receivers", "deadline_s")}
    assert changed == {"single": False, "redemption": True, "receivers": ["44444444"], "deadline_s": 30}
    assert "deadline must be" in sandbox.run("originator", "set", "33335555", "--deadline-s", "1").line


def test_advices_queue_up_while_delivery_is_paused(sandbox: Sandbox) -> None:
    sale = an_owed_sale(sandbox)
    assert "its delivery is paused" in sandbox.ok("explain", str(sale.id)).out
    sandbox.ok("saf", "resume", "sandbox")
    eventually(lambda: queued(sandbox) == 0, "what was owed is delivered")
    assert "Still owed to the provider: nothing" in sandbox.ok("explain", str(sale.id)).out


def test_a_refused_advice_is_parked_shown_and_sent_again(sandbox: Sandbox) -> None:
    """The simulator forgets its vouchers while a confirmation is owed: its refusal of it is final."""
    sale = an_owed_sale(sandbox)
    control = int(sandbox.env["VOUCHERSWITCH_SIMULATOR_PORT_BASE"]) + 111
    reset = urllib.request.Request(f"http://127.0.0.1:{control}/__sim/reset", method="POST", data=b"{}")
    with urllib.request.urlopen(reset, timeout=10) as answer:
        assert answer.status < 300
    sandbox.ok("saf", "resume", "sandbox")
    [parked] = eventually(lambda: sandbox.ok("saf", "list", "--state", "parked", "--json").json["advices"], "parked")
    assert parked["request_id"] == str(sale.id)
    shown = sandbox.ok("saf", "show", parked["advice_id"]).out
    assert "somebody must decide" in shown
    assert "404" in shown
    assert parked["advice_id"] in sandbox.ok("explain").out
    assert "1 of 1 advices are sent again" in sandbox.ok("saf", "resend", "--provider", "sandbox", "--parked").out
    attempts = sandbox.ok("saf", "show", parked["advice_id"], "--json").json
    assert attempts["attempts"] >= 1
    assert sandbox.run("saf", "show", str(uuid4())).code == 3


def test_a_new_password_is_known_to_the_till_at_once(sandbox: Sandbox) -> None:
    done = sandbox.run("originator", "password", "22222222", "--password", "another-long-one")
    assert done.code == 0
    eventually(lambda: sandbox.run("products").code == 0, "the new password works", within_s=5)
    sandbox.ok("originator", "password", "22222222", "--password", PASSWORD)
    eventually(lambda: sandbox.run("products").code == 0, "the old one again", within_s=5)


def test_a_second_up_says_that_one_is_running(sandbox: Sandbox) -> None:
    done = sandbox.run("up")
    assert done.code == 1
    assert f"voucherswitch up already runs on {sandbox.data_dir}" in done.line


def test_db_url_is_the_connection_string_and_nothing_else(sandbox: Sandbox) -> None:
    done = sandbox.ok("db", "url")
    assert done.out.startswith("postgresql://")
    assert len(done.out.splitlines()) == 1


def test_a_switch_process_that_is_killed_is_started_again(sandbox: Sandbox, switch: Switch) -> None:
    [worker] = [pid for pid in processes_with(str(sandbox.data_dir)) if "switch-worker" in _command(pid)]
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: "switch-1 runs again" in sandbox.shown, "it runs again")
    assert sold(switch, "MOBI29", None).status == 201


def test_ctrl_c_stops_everything(sandbox: Sandbox) -> None:
    assert processes_with(str(sandbox.data_dir)) != []
    assert sandbox.stop() == 0
    assert processes_with(str(sandbox.data_dir)) == []


def test_a_second_start_keeps_what_people_made(sandbox: Sandbox) -> None:
    """And it shows no password: only its hash is left, besides the till's own file."""
    if sandbox.process is None:
        sandbox.start()
    assert READY in sandbox.shown
    assert PASSWORD not in sandbox.shown
    assert str(sandbox.data_dir / "till.json") in sandbox.shown
    assert "MARULA75" in sandbox.ok("product", "list").out
    assert sandbox.ok("sell", "--product", "MARULA75").code == 0


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").replace("\0", " ")


def test_a_maintenance_window_is_in_force_shown_everywhere_and_ended(sandbox: Sandbox, switch: Switch) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    end = until.isoformat(timespec="seconds")
    sandbox.ok("provider", "maintenance", "add", "sandbox", "--until", end, "--reason", "their release")
    [window] = sandbox.ok("provider", "maintenance", "list", "--json").json
    why = f"maintenance until {until:%Y-%m-%d %H:%M:%S} UTC: their release"

    def refused() -> bool:
        answer = sold(switch, "MOBIANY")
        return answer.status == 503 and answer.retry_after_s == 60

    eventually(refused, "a sale that is refused")
    assert why in sandbox.ok("provider", "list").out
    assert why in sandbox.ok("provider", "show", "sandbox").out
    assert why in sandbox.ok("saf", "list", "--json").out
    preview = sandbox.run("route", "preview", "--product", "MOBIANY", "--amount", "100", "--json")
    assert preview.code == 1
    assert [route["reason"] for route in preview.json["routes"]] == [why]
    with urllib.request.urlopen(f"{sandbox.console_url}/health", timeout=10) as answer:
        assert json.load(answer)["providers_not_asked"] == {"sandbox": why}
    with urllib.request.urlopen(sandbox.console_url, timeout=10) as page:
        assert why in page.read().decode()

    assert "is asked again" in sandbox.ok("provider", "maintenance", "end", str(window["id"])).out
    assert sandbox.run("provider", "maintenance", "end", str(window["id"])).code == 3
    eventually(lambda: sold(switch, "MOBIANY").status == 201, "a sale")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--until", "2026-03-15T22:00"), "has no zone"),
        (("--until", "tomorrow"), "is not a time"),
        (("--until", "2020-03-15T22:00Z"), "ends after it starts"),
        (("--until", "2020-03-15T22:00Z", "--from", "2020-03-15T21:00Z"), "over already"),
        (("--until", "2090-03-15T22:00Z"), "31 days at most"),
        (("--until", "2090-03-15T22:00Z", "--from", "2090-03-15T21:00Z"), "check the year"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(sandbox: Sandbox, options: tuple[str, ...], said: str) -> None:
    done = sandbox.run("provider", "maintenance", "add", "sandbox", *options, "--reason", "x")
    assert done.code != 0
    assert said in done.err


def test_closing_a_breaker_that_is_not_open_says_so(sandbox: Sandbox) -> None:
    done = sandbox.run("provider", "close-breaker", "sandbox")
    assert (done.code, "no circuit breaker of sandbox is open" in done.line) == (3, True)
    assert sandbox.ok("provider", "show", "sandbox", "--json").json["breaker"] == "closed"
