"""`voucherswitch torture` for three minutes: whatever breaks meanwhile, the four books agree afterwards."""

import asyncio
import json
import os
import sys
from typing import Final

import pytest

MINUTES: Final = 3
SEED: Final = 1
# Three minutes, a drain of four at most, and start and judgement on a machine that runs other tests too.
WITHIN_S: Final = 10 * 60
# What a busy machine still reaches. A run that does less has not tried anything.
TRANSACTIONS_MIN: Final = 2_000
FAULTS_MIN: Final = 50


@pytest.mark.timeout(WITHIN_S + 30)
async def test_after_three_minutes_of_faults_the_four_books_agree() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("VOUCHERSWITCH_")}
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voucherswitch", "torture", "--minutes", str(MINUTES), "--seed", str(SEED), "--json"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            output, errors = await running.communicate()
    finally:
        if running.returncode is None:
            running.terminate()
            await running.wait()

    assert output, errors.decode(errors="replace")[-5_000:]
    report = json.loads(output)
    assert report["differences"] == [], "\n".join(report["explanations"].values())
    assert report["left"]["queued"] == 0, report
    assert report["unfinished"] == 0, report
    assert (report["agreed"], running.returncode) == (True, 0), report
    assert report["transactions"] >= TRANSACTIONS_MIN
    assert report["faults"] >= FAULTS_MIN
    assert report["faults_met"] >= report["faults"] * 0.7, "faults that nobody feels try nothing"
