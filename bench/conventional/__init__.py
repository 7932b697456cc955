"""The same provision on the conventional stack: FastAPI, pydantic, the SQLAlchemy ORM on asyncpg, httpx.

Written as the documentation of those libraries teaches, by somebody who knows them and has no wish to see it lose: one
HTTP client and one engine for the life of the process, a session per request, dependencies injected, answers through a
response model. It does the durable work of the switch (two commits per provision, sealed voucher, two masked legs)
and answers the same JSON; what the switch can do beyond that is not here.
"""
