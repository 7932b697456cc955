"""Settings of the conventional stack, from the environment."""

from fastapi import Request
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Everything it must be told; the benchmark sets it."""

    model_config = SettingsConfigDict(env_prefix="CONVENTIONAL_")

    database_url: SecretStr
    pool_size: int = 10
    provider_url: str
    provider_key: SecretStr
    provider_product: str = "SBXANY"
    provider_store: str = "S001"  # the one outlet that the sandbox knows
    user: str
    password_hash: SecretStr  # argon2id
    vault_key: SecretStr  # 32 bytes as hex
    settlement_id: str = "33333333"
    settlement_name: str = "Sandbox Settlement"


def read_settings() -> Settings:
    """Read the settings, once per process."""
    return Settings()  # type: ignore[call-arg]  # the environment gives the rest


async def get_settings(request: Request) -> Settings:
    """Return the settings of this process; async, because a plain function would go to a thread in every request."""
    settings: Settings = request.app.state.settings
    return settings
