"""The page of one id: everything the journal holds about it, nothing that is sealed, and foreign text kept harmless."""

import json
from datetime import timedelta
from uuid import uuid4

from console.console_support import HOSTILE, Console, Rows, ago
from voucherswitch.console.queries import LEG_CHARS_MAX, LEGS_MAX
from voucherswitch.message.states import AdviceState, Kind, State

SECRET = "4004123412341234"


async def test_it_tells_the_whole_story(console: Console, rows: Rows) -> None:
    await rows.insert("originator", originator_id="22222222", name="Corner Shop", password_hash="x")
    start = ago(minutes=10)
    request_id = await rows.transaction(
        state=State.REVERSED, provider_ref="JG-40718823", voucher_serial="SN-1", alert="outcome_unknown",
        reversal_id=(reversal_id := uuid4()), opened_at=start, answered_status=504, refs='{"session":"S-9"}',
    )  # fmt: skip
    await rows.leg(request_id, direction=1, peer="22222222", operation="provisionVoucher", started_at=start,
                   duration_us=5_400_000, status=504, request='{"id":"x","pin":"***"}')  # fmt: skip
    await rows.leg(request_id, peer="karoo", outcome=2, status=None, response=None, error="connection refused",
                   started_at=start + timedelta(milliseconds=2), duration_us=900)  # fmt: skip
    await rows.leg(request_id, peer="protea", outcome=3, status=None, response=None, error="read timeout",
                   started_at=start + timedelta(milliseconds=4), duration_us=5_200_000)  # fmt: skip
    await rows.advice(request_id, advice_id=reversal_id, kind=2, attempts=1, last_error="HTTP 503", reason="TIMEOUT",
                      provider_id="protea", next_attempt_at=ago(seconds=-30))  # fmt: skip
    await rows.leg(request_id, peer="protea", operation="reverse", advice_id=reversal_id, status=503,
                   started_at=start + timedelta(minutes=1))  # fmt: skip

    page = await console.get(f"/transactions/{request_id}")
    assert page.status == 200
    text = page.text.replace("\xa0", " ")
    for said in (
        "karoo certainly did not process it (connection refused), so protea was asked.",
        "It is undone: Corner Shop reversed it at",
        "The reversal is not yet acknowledged by protea: 1 attempt, last: HTTP 503.",
        "Until protea takes it, R 150.00 may still be spent.",
        await rows.reference(request_id),
        "JG-40718823",
        "SN-1",
        "S-9",
        "HTTP 504",
        "outcome_unknown",
        "dual message",
        '"pin": "***"',
        "read timeout",
        "1 min later",
        f"{start:%Y-%m-%d %H:%M:%S}.{start.microsecond // 1000:03d} UTC",
    ):
        assert said in text, said
    peers = [text.index("from 22222222".replace(" ", " <b>")), text.index("to <b>karoo"), text.index("to <b>protea")]
    assert peers == sorted(peers), "the trace is in the order of time"
    assert page.body.count('<details class="leg">') == 4
    assert page.body.count('data-label="Attempt at (UTC)"') == 1


async def test_every_use_of_an_id_has_its_own_messages(console: Console, rows: Rows) -> None:
    request_id = await rows.transaction(opened_at=ago(days=1), state=State.DECLINED)
    await rows.transaction(request_id=request_id, generation=1, state=State.CONFIRMED)
    await rows.leg(request_id, operation="of the first", started_at=ago(days=1))
    await rows.leg(request_id, operation="of the second", generation=1)

    text = (await console.get(f"/transactions/{request_id}")).text
    assert text.index('id="generation-1"') < text.index("of the second")
    assert text.index("of the second") < text.index('id="generation-0"') < text.index("of the first")


async def test_what_was_refused_without_a_record_is_found(console: Console, rows: Rows) -> None:
    request_id = uuid4()
    error = {"refusal": {"rule": "P3", "status": 400, "error_type": "INVALID_AMOUNT", "message": "Over the limit."}}
    await rows.insert("refusal", request_id=request_id, originator_id="22222222", kind=1, operation="provisionVoucher",
                      error=json.dumps(error))  # fmt: skip
    await rows.leg(request_id, direction=1, peer="22222222", status=400)

    page = await console.get(f"/transactions/{request_id}")
    assert page.status == 200
    for said in ("Messages without a record", "Refused without a record", "INVALID_AMOUNT", "Over the limit.", "P3"):
        assert said in page.text, said


async def test_other_transactions_on_the_voucher_are_linked(console: Console, rows: Rows) -> None:
    fingerprint = b"v" * 32
    sold = await rows.transaction(fingerprint=fingerprint)
    redeemed = await rows.transaction(kind=Kind.REDEMPTION, fingerprint=fingerprint)
    refunded = await rows.transaction(kind=Kind.REFUND, redemption_id=redeemed)
    await rows.transaction(fingerprint=fingerprint, receiver_id="another brand")
    await rows.insert("voucher", fingerprint=fingerprint, receiver_id="44444444", state=3, provision_id=sold)

    page = await console.get(f"/transactions/{sold}")
    assert page.text.count('data-label="Request id"') == 1
    assert f'href="/transactions/{redeemed}"' in page.body
    assert "Voucher is</dt><dd>Redeemed</dd>" in page.body
    assert f'href="/transactions/{redeemed}"' in (await console.get(f"/transactions/{refunded}")).body


async def test_nothing_sealed_and_no_voucher_of_a_refusal_is_shown(console: Console, rows: Rows) -> None:
    """A refusal's details may hold the voucher of the original, and a sealed column is nobody's business here."""
    error = {
        "refusal": {"rule": "V4", "status": 400, "error_type": "DUPLICATE_RECORD", "message": "Duplicate UUID."},
        "detail": {"voucher": {"code": SECRET, "pin": SECRET}, "provider_code": "51", "later": SECRET},
    }
    request_id = await rows.transaction(
        state=State.DECLINED, request=SECRET.encode(), answer=SECRET.encode(), fingerprint=SECRET.encode(),
        error=json.dumps(error),
    )  # fmt: skip
    await rows.insert(
        "refusal", request_id=request_id, originator_id="1", kind=1, operation="x", error=json.dumps(error)
    )

    page = await console.get(f"/transactions/{request_id}")
    assert "DUPLICATE_RECORD" in page.text
    assert "51" in page.text
    for shown in (page, await console.get("/transactions"), await console.get("/"), await console.get("/saf")):
        assert SECRET not in shown.body
        assert SECRET.encode().hex() not in shown.body


async def test_hostile_text_is_only_text(console: Console, rows: Rows) -> None:
    """Whatever an originator or a provider sent is shown as it is: no tag, no hidden turn of the reading direction."""
    name = HOSTILE + "\u202egnp.exe"
    await rows.insert("originator", originator_id=HOSTILE, name=name, password_hash="x")
    await rows.insert("voucher_provider", receiver_id=HOSTILE, name=name, settlement_id="1", settlement_name=name)
    await rows.provider(HOSTILE)
    request_id = await rows.transaction(
        originator_id=HOSTILE, receiver_id=HOSTILE, product_id=HOSTILE, provider_id=HOSTILE, provider_product=HOSTILE,
        voucher_serial=name, provider_ref=name, alert=name, refs=json.dumps({HOSTILE: name}), currency="<b>",
        error=json.dumps({"refusal": {"error_type": HOSTILE, "message": name}, "detail": {"provider_message": name}}),
    )  # fmt: skip
    for state in (1, 4):
        await rows.advice(
            request_id, provider_id=HOSTILE, originator_id=HOSTILE, reason=HOSTILE, last_error=name, state=state
        )
    await rows.insert("refusal", request_id=request_id, originator_id=HOSTILE, kind=1, operation=HOSTILE,
                      error=json.dumps({"refusal": {"message": name}}))  # fmt: skip
    for body in (f'{{"a":"{HOSTILE}"}}', json.dumps({"a": name}), f"POST /\n\n{name}", "</pre>" + name, "<?xml?>"):
        await rows.leg(request_id, peer=HOSTILE, operation=name, request=body, response=body, error=name)

    for path in ("/", "/transactions", f"/transactions/{request_id}", "/saf"):
        page = await console.get(path)
        assert page.status == 200
        assert HOSTILE in page.text, path
        for harm in ("<script>alert", "<img src=x", "<b>)", "\u202e", '</pre>"'):
            assert harm not in page.body, (path, harm)


async def test_long_and_many_messages_are_cut_and_say_so(console: Console, rows: Rows) -> None:
    request_id = await rows.transaction()
    await rows.leg(request_id, request="x" * (LEG_CHARS_MAX + 5), started_at=ago(hours=9))
    for _ in range(LEGS_MAX):
        await rows.leg(request_id)

    page = await console.get(f"/transactions/{request_id}")
    assert page.body.count('<details class="leg">') == LEGS_MAX
    assert f"There are more than {LEGS_MAX} messages" in page.text
    assert "20\xa0005 characters, the first 20\xa0000 shown" in page.text


async def test_numbers_of_a_later_release_do_not_break_the_page(console: Console, rows: Rows) -> None:
    request_id = await rows.transaction(answered_status=799)
    await rows.advice(request_id, kind=9, state=12, request_kind=7)
    await rows.leg(request_id, direction=5, outcome=8, status=None)
    page = await console.get(f"/transactions/{request_id}")
    assert page.status == 200
    for said in ("advice 9", "state 12", "outcome 8"):
        assert said in page.text, said


async def test_an_id_nobody_used_is_not_found(console: Console, rows: Rows) -> None:
    unknown = uuid4()
    page = await console.get(f"/transactions/{unknown}")
    assert page.status == 404
    assert f"The journal holds nothing under the id {unknown}." in page.text
    for path in ("/transactions/1", "/transactions/" + "g" * 36, "/transactions/%00", "/transactions/../../etc/passwd"):
        assert (await console.get(path)).status == 404, path


async def test_an_id_is_found_in_capitals(console: Console, rows: Rows) -> None:
    request_id = await rows.transaction()
    assert (await console.get(f"/transactions/{str(request_id).upper()}")).status == 200


async def test_each_advice_state_is_put_into_words(console: Console, rows: Rows) -> None:
    request_id = await rows.transaction(state=State.CONFIRMED)
    for state in AdviceState:
        await rows.advice(request_id, state=state)
    text = (await console.get(f"/transactions/{request_id}")).text
    assert "this release does not know" not in text
    assert text.count("The confirmation") == len(AdviceState)
