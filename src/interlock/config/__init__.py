"""The configuration of a gateway: one YAML file, checked as a whole, secrets resolved."""

from interlock.config.errors import ConfigError
from interlock.config.load import adapter_folders, available_adapters, load_config, read_config
from interlock.config.model import (
    ApiKey,
    Auth,
    Basic,
    Bearer,
    Cache,
    Config,
    Harvest,
    LedgerConfig,
    Limits,
    Listen,
    OAuth2,
    Quality,
    SourceConfig,
)
from interlock.config.schedule import Schedule, SourceSchedule
from interlock.config.secrets import secrets_in
from interlock.config.storage import Kept, Storage

__all__ = [
    "ApiKey",
    "Auth",
    "Basic",
    "Bearer",
    "Cache",
    "Config",
    "ConfigError",
    "Harvest",
    "Kept",
    "LedgerConfig",
    "Limits",
    "Listen",
    "OAuth2",
    "Quality",
    "Schedule",
    "SourceConfig",
    "SourceSchedule",
    "Storage",
    "adapter_folders",
    "available_adapters",
    "load_config",
    "read_config",
    "secrets_in",
]
