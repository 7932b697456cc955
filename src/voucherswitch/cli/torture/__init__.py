"""`voucherswitch torture`: the whole switch as real processes, faults of every kind, and four books that must agree.

`command.py` is the command; `run.py` the run from start to judgement. A run is a `Stack` (processes, database, proxy),
tills that sell through it, a plan of faults drawn from the seed (`plan.py`) that `faults.py` does to it, then the books
(`books.py`) and what they say of each other (`judge.py`).
"""
